//! A schema as the reader needs it: flat, with all names resolved and all keys escaped.

use crate::json::escape::quote;
use apache_avro::{
    Schema,
    schema::{InnerDecimalSchema, Name, UuidSchema},
};
use connect_core::schema_registry::{RegisteredSchema, SchemaKind};
use std::collections::HashMap;

/// Where a type stands in the plan.
pub(super) type Index = usize;

/// Nesting of a schema itself; data may nest deeper where a type contains itself.
const SCHEMA_DEPTH_MAX: usize = 200;

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Index,
}

/// A type. Keys and symbols are complete: escaped, in quotes, keys with the colon.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    /// With its scale; `Some`: of a fixed size.
    Decimal(usize, Option<usize>),
    Enum(Vec<Vec<u8>>),
    Array(Index),
    /// Connect's map whose keys are not strings.
    Pairs(Index, Index),
    Map(Index),
    /// A union of null and at most one other type.
    Option(Vec<Index>),
    /// Any other union: a field per member that is not null, by the member's place.
    Union(Vec<(Option<Vec<u8>>, Index)>),
    Record(Vec<(Vec<u8>, Index)>),
}

impl Plan {
    pub(super) fn parse(schema: &RegisteredSchema, full_names: bool) -> Result<Self, String> {
        if schema.kind != SchemaKind::Avro {
            return Err(format!("it is in {}, not in Avro", schema.kind));
        }
        let others = schema.references.iter().map(|reference| &reference.text);
        let (root, others) =
            Schema::parse_str_with_list(&schema.text, others).map_err(|error| error.to_string())?;
        let mut builder =
            Builder { nodes: Vec::new(), names: HashMap::new(), known: HashMap::new(), full_names };
        for other in others.iter().chain([&root]) {
            builder.collect(other, 0)?;
        }
        let root = builder.add(&root, 0)?;
        Ok(Self { nodes: builder.nodes, root })
    }
}

struct Builder<'s> {
    nodes: Vec<Node>,
    /// Where a name stands that was met.
    names: HashMap<Name, Index>,
    /// What a name stands for: a reference may come before the definition, in another schema.
    known: HashMap<Name, &'s Schema>,
    full_names: bool,
}

impl<'s> Builder<'s> {
    fn collect(&mut self, schema: &'s Schema, depth: usize) -> Result<(), String> {
        if depth > SCHEMA_DEPTH_MAX {
            return Err(format!("it nests deeper than {SCHEMA_DEPTH_MAX}"));
        }
        if let (Some(name), false) = (schema.name(), matches!(schema, Schema::Ref { .. })) {
            self.known.entry(name.clone()).or_insert(schema);
        }
        match schema {
            Schema::Record(record) => {
                record.fields.iter().try_for_each(|field| self.collect(&field.schema, depth + 1))
            }
            Schema::Array(array) => self.collect(&array.items, depth + 1),
            Schema::Map(map) => self.collect(&map.types, depth + 1),
            Schema::Union(union) => {
                union.variants().iter().try_for_each(|member| self.collect(member, depth + 1))
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, node: Node) -> Index {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn add(&mut self, schema: &'s Schema, depth: usize) -> Result<Index, String> {
        if depth > SCHEMA_DEPTH_MAX {
            return Err(format!("it nests deeper than {SCHEMA_DEPTH_MAX}"));
        }
        if let Some(index) = schema.name().and_then(|name| self.names.get(name)) {
            return Ok(*index);
        }
        let node = match schema {
            Schema::Ref { name } => {
                let known = *self.known.get(name).ok_or_else(|| format!("{name} is not defined"))?;
                return self.add(known, depth + 1);
            }
            Schema::Record(record) => {
                // The place first: a record may contain itself.
                let index = self.push(Node::Record(Vec::new()));
                self.names.insert(record.name.clone(), index);
                let mut fields = Vec::with_capacity(record.fields.len());
                for field in &record.fields {
                    fields.push((key(&field.name), self.add(&field.schema, depth + 1)?));
                }
                self.nodes[index] = Node::Record(fields);
                return Ok(index);
            }
            Schema::Array(array) => match self.pair(&array.items) {
                Some((key, value)) => Node::Pairs(self.add(key, depth + 1)?, self.add(value, depth + 1)?),
                None => Node::Array(self.add(&array.items, depth + 1)?),
            },
            Schema::Map(map) => Node::Map(self.add(&map.types, depth + 1)?),
            Schema::Union(union) => self.union(union.variants(), depth)?,
            scalar => leaf(scalar),
        };
        let index = self.push(node);
        if let Some(name) = schema.name() {
            self.names.insert(name.clone(), index);
        }
        Ok(index)
    }

    fn union(&mut self, members: &'s [Schema], depth: usize) -> Result<Node, String> {
        let indexes: Result<Vec<Index>, String> =
            members.iter().map(|member| self.add(member, depth + 1)).collect();
        let indexes = indexes?;
        if members.iter().filter(|member| !matches!(member, Schema::Null)).count() <= 1 {
            return Ok(Node::Option(indexes));
        }
        let keys = members.iter().map(|member| self.member_key(member));
        Ok(Node::Union(keys.zip(indexes).collect()))
    }

    /// What the field of a union's member is called, as in Confluent's converter.
    fn member_key(&self, member: &Schema) -> Option<Vec<u8>> {
        let name = |name: &Name| if self.full_names { name.fullname(None) } else { name.name().to_owned() };
        Some(key(&match member {
            Schema::Null => return None,
            named if named.name().is_some() => named.name().map(name).unwrap_or_default(),
            Schema::Boolean => "boolean".to_owned(),
            Schema::Int | Schema::Date | Schema::TimeMillis => "int".to_owned(),
            Schema::Float => "float".to_owned(),
            Schema::Double => "double".to_owned(),
            Schema::Bytes | Schema::BigDecimal | Schema::Decimal(_) | Schema::Uuid(UuidSchema::Bytes) => {
                "bytes".to_owned()
            }
            Schema::String | Schema::Uuid(_) => "string".to_owned(),
            Schema::Array(_) => "array".to_owned(),
            Schema::Map(_) => "map".to_owned(),
            _ => "long".to_owned(),
        }))
    }

    /// Key and value, if this is the record by which Connect writes maps whose keys are not strings.
    fn pair(&self, items: &'s Schema) -> Option<(&'s Schema, &'s Schema)> {
        let items = match items {
            Schema::Ref { name } => self.known.get(name).copied()?,
            other => other,
        };
        let Schema::Record(record) = items else { return None };
        let ours = record.name.namespace().is_some_and(|space| space == "io.confluent.connect.avro")
            && matches!(record.name.name(), "MapEntry" | "ConnectMapEntry");
        let marked = record.attributes.get("connect.internal.type").is_some_and(|kind| kind == "MapEntry");
        match record.fields.as_slice() {
            [key, value] if (ours || marked) && key.name == "key" && value.name == "value" => {
                Some((&key.schema, &value.schema))
            }
            _ => None,
        }
    }
}

/// A type that contains no other.
fn leaf(schema: &Schema) -> Node {
    match schema {
        Schema::Null => Node::Null,
        Schema::Boolean => Node::Boolean,
        Schema::Int | Schema::Date | Schema::TimeMillis => Node::Int,
        Schema::Float => Node::Float,
        Schema::Double => Node::Double,
        Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Node::Bytes,
        Schema::String | Schema::Uuid(UuidSchema::String) => Node::String,
        Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
            Node::Fixed(fixed.size)
        }
        Schema::Decimal(decimal) => Node::Decimal(
            decimal.scale,
            match &decimal.inner {
                InnerDecimalSchema::Bytes => None,
                InnerDecimalSchema::Fixed(fixed) => Some(fixed.size),
            },
        ),
        Schema::Enum(symbols) => Node::Enum(symbols.symbols.iter().map(|symbol| quoted(symbol)).collect()),
        _ => Node::Long,
    }
}

fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = Vec::new();
    quote(text, &mut quoted);
    quoted
}

fn key(name: &str) -> Vec<u8> {
    let mut key = quoted(name);
    key.push(b':');
    key
}
