#!/bin/sh
# Runs generated records and configurations through Kafka's own transforms and Debezium's unwrap, and writes vectors.jsonl.
# Needs Java 17 and Maven. The output depends on nothing but this directory.
set -eu
cd "$(dirname "$0")"
libs="${TMPDIR:-/tmp}/connect-differential-libs"
mvn -q -B dependency:copy-dependencies -DoutputDirectory="$libs"
exec java -Duser.timezone=UTC -Duser.language=en -Duser.country=US -cp "$libs/*" src/main/java/Generate.java vectors.jsonl
