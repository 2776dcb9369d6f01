//! Enumerations as values of keys.

/// Declares an enum whose variants are the texts a key may have, in any case.
///
/// ```
/// use connect_core::{choices, config::Value};
///
/// choices! {
///     /// What happens to a record without a value.
///     pub enum OnNull {
///         /// The task stops.
///         Fail = "fail",
///         /// The record is dropped.
///         Ignore = "ignore",
///     }
/// }
///
/// assert_eq!(OnNull::parse("FAIL"), Ok(OnNull::Fail));
/// assert_eq!(OnNull::Ignore.as_str(), "ignore");
/// assert_eq!(OnNull::allowed().as_deref(), Some("fail or ignore"));
/// ```
#[macro_export]
macro_rules! choices {
    (
        $(#[doc = $doc:literal])+
        $vis:vis enum $name:ident { $( $(#[doc = $variant_doc:literal])+ $variant:ident = $text:literal ),+ $(,)? }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $( $(#[doc = $variant_doc])+ #[doc = concat!("\n\nWritten `", $text, "`.")] $variant, )+
        }

        impl $name {
            /// The text that stands for this choice.
            $vis const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::config::Value for $name {
            const TYPE: $crate::config::Type = $crate::config::Type::String;

            fn parse(text: &str) -> ::std::result::Result<Self, ::std::string::String> {
                let text = text.trim();
                $( if text.eq_ignore_ascii_case($text) { return Ok(Self::$variant); } )+
                Err("not one of the choices".into())
            }

            fn show(&self) -> ::std::string::String {
                self.as_str().into()
            }

            fn allowed() -> ::std::option::Option<::std::string::String> {
                Some($crate::config::alternatives(&[$($text),+]))
            }

            fn choices() -> &'static [&'static str] {
                &[$($text),+]
            }

            fn json_schema() -> $crate::config::Json {
                $crate::config::choice_schema(&[$($text),+])
            }
        }
    };
}

/// `a, b or c`.
#[doc(hidden)]
pub fn alternatives(texts: &[&str]) -> String {
    match texts {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
