//! A transform's configuration as one line.

use crate::part::Part;
use connect_core::config::Config;
use std::fmt::Debug;

/// The name, the part, and all keys with their values. Not as settings: in code, an item of a list may have a comma in
/// it, and a text be empty or not given.
pub(crate) fn described<C: Config + Debug>(name: &str, part: Part, config: &C) -> String {
    format!("{name} of={part} {config:?}")
}

#[cfg(test)]
mod tests {
    use crate::{HoistField, HoistFieldConfig, MaskField, MaskFieldConfig};
    use connect_core::Transform;

    #[test]
    fn other_configurations_have_other_descriptions() {
        let mask = |fields: &[&str]| {
            let config = MaskFieldConfig::new(fields.iter().map(|&field| field.to_owned()).collect());
            MaskField::value(&config).unwrap().describe().unwrap()
        };
        assert_ne!(mask(&["a,b"]), mask(&["a", "b"]));
        assert_ne!(mask(&["a"]), mask(&[" a"]));
        let hoist = HoistField::key(&HoistFieldConfig::new("f".to_owned())).describe().unwrap();
        assert!(hoist.starts_with("HoistField of=key ") && hoist.contains("\"f\""), "{hoist}");
    }
}
