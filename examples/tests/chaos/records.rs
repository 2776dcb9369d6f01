//! The records of these tests: each is known by its partition and number alone, so every byte can be checked.

/// Which records a topic holds: partitions 0..`partitions`, in each the numbers 0..`per_partition`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) partitions: i32,
    pub(crate) per_partition: u64,
    /// Bytes of filling per record.
    pub(crate) padding: usize,
}

impl Plan {
    pub(crate) fn total(self) -> u64 {
        self.per_partition * self.partitions.unsigned_abs() as u64
    }

    /// Where a record goes: one hot path, one that is used now and then, one for a single record.
    pub(crate) fn path(self, partition: i32, number: u64) -> &'static str {
        match number {
            n if n == self.per_partition / 2 + partition.unsigned_abs() as u64 => "once",
            n if n % 7 == 3 => "warm",
            _ => "hot",
        }
    }

    /// The record's value, on one line.
    pub(crate) fn value(self, partition: i32, number: u64) -> String {
        let path = self.path(partition, number);
        // Filling that differs from record to record, so that a mix-up of bytes shows.
        let letter = char::from(b'a' + (number % 26) as u8);
        let filling = String::from_iter(std::iter::repeat_n(letter, self.padding));
        format!(r#"{{"id":"{partition}-{number}","path":"{path}","n":{number},"filling":"{filling}"}}"#)
    }

    /// Which record a value is, if it is one of these, byte for byte.
    pub(crate) fn identify(self, value: &str) -> Option<(i32, u64)> {
        let id = value.strip_prefix(r#"{"id":""#)?.split('"').next()?;
        let (partition, number) = id.split_once('-')?;
        let (partition, number) = (partition.parse().ok()?, number.parse().ok()?);
        (self.value(partition, number) == value).then_some((partition, number))
    }
}

/// How often each record was seen.
#[derive(Debug)]
pub(crate) struct Tally {
    plan: Plan,
    seen: Vec<Vec<u8>>,
}

impl Tally {
    pub(crate) fn new(plan: Plan) -> Self {
        let row = || vec![0; plan.per_partition as usize];
        Self { plan, seen: (0..plan.partitions).map(|_| row()).collect() }
    }

    /// Counts a value and says which record it is; an error if it is none of the plan's.
    pub(crate) fn count(&mut self, value: &str) -> Result<(i32, u64), String> {
        let Some((partition, number)) = self.plan.identify(value) else {
            return Err(format!("this was never produced: {}", value.chars().take(200).collect::<String>()));
        };
        let row = usize::try_from(partition).ok().and_then(|row| self.seen.get_mut(row));
        let seen = row.and_then(|row| row.get_mut(number as usize));
        let seen = seen.ok_or_else(|| format!("{partition}-{number} is outside the plan"))?;
        *seen = seen.saturating_add(1);
        Ok((partition, number))
    }

    /// What is wrong unless each record was seen exactly once; `excused` ones may be missing.
    pub(crate) fn faults(&self, excused: impl Fn(i32, u64) -> bool) -> Option<String> {
        let mut missing = Vec::new();
        let mut repeated = Vec::new();
        for (partition, row) in (0..).zip(&self.seen) {
            for (number, seen) in (0_u64..).zip(row) {
                match seen {
                    0 if !excused(partition, number) => missing.push(format!("{partition}-{number}")),
                    0 | 1 => {}
                    times => repeated.push(format!("{partition}-{number} ({times} times)")),
                }
            }
        }
        (!missing.is_empty() || !repeated.is_empty()).then(|| {
            format!(
                "of {} records {} are missing ({}) and {} are repeated ({})",
                self.plan.total(),
                missing.len(),
                few(&missing),
                repeated.len(),
                few(&repeated),
            )
        })
    }
}

fn few(all: &[String]) -> String {
    let shown = all.len().min(12);
    let dots = if all.len() > shown { ", …" } else { "" };
    format!("{}{dots}", all[..shown].join(", "))
}

#[test]
fn a_tally_notices_what_is_missing_repeated_or_foreign() {
    let plan = Plan { partitions: 2, per_partition: 3, padding: 10 };
    let faults = |values: &[String]| {
        let mut tally = Tally::new(plan);
        let foreign: Vec<String> = values.iter().filter_map(|value| tally.count(value).err()).collect();
        foreign.first().cloned().or(tally.faults(|_, _| false)).unwrap_or_default()
    };
    let all: Vec<String> = (0..2).flat_map(|p| (0..3).map(move |n| plan.value(p, n))).collect();
    assert_eq!(faults(&all), "");
    assert!(faults(&all[1..]).contains("1 are missing (0-0)"));
    assert!(faults(&[&all[..], &all[..1]].concat()).contains("1 are repeated (0-0 (2 times))"));
    assert!(faults(&[&all[1..], &[all[0].replace("aaa", "aab")]].concat()).contains("never produced"));
    assert!((0..2).all(|p| (0..3).filter(|n| plan.path(p, *n) == "once").count() <= 1));
}
