//! The `config!` macro.

/// Declares a configuration once: the struct, its parser, defaults, Connect's definitions and JSON Schema.
///
/// Each field is `"key" => name: Type`, then `= default` where there is one, then options. Its doc comment is
/// rustdoc and Connect's documentation in one. A key without default is required, unless its type is written
/// `Option<…>`. The struct implements [`Config`](crate::config::Config); it also gets `Default`, or, when
/// keys are required, `new(…)` with one argument for each of them. All fields are public, so code builds one
/// with `Batching { linger: …, ..Batching::default() }`.
///
/// | option | meaning |
/// |---|---|
/// | `importance: High` | `High`, `Medium` (if not given) or `Low` |
/// | `group: "Batching"` | the heading it stands under, `General` if not given |
/// | `range: 1..=100` | least and greatest value; `Some(1)..` for a type in `Option` |
/// | `check: not_empty` | a function or closure `(&Type) -> Result<(), String>`; may be repeated |
/// | `allowed: "a URL"` | words for the error message instead of the type's own |
/// | `literal: true` | the value is printed in logs, so that a reference such as `${file:…}` is refused |
/// | `url: true` | the text is a URL, shown without user, query and fragment |
/// | `display: "…"`, `width: Width::Long`, `dependents: &["…"]` | for forms |
///
/// `prefix "kafka." => name: Passthrough;` takes all keys that begin so, without the prefix, as they are; values
/// are shown only of those that the option `known: &["linger.ms", …]` lists.
/// `nested "proxy." => name: Proxy;` has the keys of another declaration below a prefix (which may be empty);
/// the other one must have no required keys. `check path` after the struct names a function
/// `(&Self, &mut Problems)` for what concerns several keys; it runs once each key is sound.
///
/// One declaration holds about a hundred keys (rustc's recursion limit); larger ones are put together with
/// `nested ""`.
///
/// ```
/// use std::time::Duration;
/// use connect_core::config::{Config, Passthrough, Problems, Secret, Settings};
///
/// connect_core::config! {
///     /// How to log in.
///     pub struct Login {
///         /// The user.
///         "username" => username: Option<String>, group: "Security";
///         /// The user's password.
///         "password" => password: Option<Secret>, group: "Security", importance: High;
///     } check both_or_none
/// }
///
/// connect_core::config! {
///     /// Where documents go.
///     pub struct Target {
///         /// Base URLs of the cluster.
///         "connection.url" => urls: Vec<String>, importance: High;
///         /// The longest wait for a batch to fill.
///         "linger.ms" => linger: Duration = Duration::from_millis(50), range: ..=Duration::from_secs(60);
///         /// How to log in.
///         nested "connection." => login: Login;
///         /// Properties of the client.
///         prefix "client." => client: Passthrough;
///     }
/// }
///
/// fn both_or_none(login: &Login, problems: &mut Problems) {
///     if login.username.is_some() != login.password.is_some() {
///         problems.add("username", "give both connection.username and connection.password, or none");
///     }
/// }
///
/// let settings = Settings::literal([("connection.url", "http://a:9200, http://b:9200"), ("client.x", "1")]);
/// let target = Target::parse(&settings)?;
/// assert_eq!(target.urls.len(), 2);
/// assert_eq!(target.client["x"], "1");
/// assert_eq!(Target { client: target.client.clone(), ..Target::new(target.urls.clone()) }, target);
/// # Ok::<_, connect_core::config::ConfigError>(())
/// ```
#[macro_export]
macro_rules! config {
    // The struct and its trait.
    (@config [$($struct_doc:literal)+] $vis:vis $name:ident [$($check:expr)?] $(
        $(#[doc = $doc:literal])+
        $($kind:ident)? $key:literal => $field:ident : $ty:ty $(= $default:expr)? $(, $opt:ident : $arg:expr)* $(,)? ;
    )*) => {
        $(#[doc = $struct_doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nKey `", $key, "`", $(", default `", stringify!($default), "`",)? ".")]
                pub $field: $ty,
            )*
        }

        impl $crate::config::Config for $name {
            const NAME: &'static str = stringify!($name);
            const DOC: &'static str = concat!($($struct_doc, "\n"),+);

            fn define(_reader: &mut $crate::config::Reader<'_>) {
                $( $crate::config!(
                    @slot [$($kind)?] $key, concat!($($doc, "\n"),+), $ty, [$($default)?] $($opt: $arg,)*
                ).define(_reader); )*
            }

            fn read(_reader: &mut $crate::config::Reader<'_>) -> ::std::option::Option<Self> {
                $( let $field = $crate::config!(
                    @slot [$($kind)?] $key, concat!($($doc, "\n"),+), $ty, [$($default)?] $($opt: $arg,)*
                ).read(_reader); )*
                // Only now: a missing key must not hide the problems of the next one.
                let config = Self { $( $field: $field?, )* };
                $( _reader.check(&config, $check); )?
                ::std::option::Option::Some(config)
            }

            fn write(&self, _writer: &mut $crate::config::Writer) {
                $( $crate::config!(
                    @slot [$($kind)?] $key, concat!($($doc, "\n"),+), $ty, [$($default)?] $($opt: $arg,)*
                ).write(&self.$field, _writer); )*
            }
        }
    };

    (@slot [] $key:literal, $doc:expr, $ty:ty, [$($default:expr)?] $($opt:ident : $arg:expr,)*) => {{
        #[allow(unused_imports, reason = "so that an option reads `importance: High`")]
        use $crate::config::Importance::{High, Low, Medium};
        $crate::config::Slot::<$ty>::new($key, $doc) $(.default($default))? $(.$opt($arg))*
    }};
    (@slot [prefix] $key:literal, $doc:expr, $ty:ty, [] $($opt:ident : $arg:expr,)*) => {{
        #[allow(unused_imports, reason = "so that an option reads `importance: High`")]
        use $crate::config::Importance::{High, Low, Medium};
        $crate::config::Prefix::new($key, $doc) $(.$opt($arg))*
    }};
    (@slot [nested] $key:literal, $doc:expr, $ty:ty, []) => {
        $crate::config::Nested::<$ty>::new($key, $doc)
    };

    // `Default`, or `new` with what is required: field by field, since only their tokens tell the kinds apart.
    (@new $vis:vis $name:ident [] [$($init:tt)*]) => {
        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self { $($init)* }
            }
        }
    };
    (@new $vis:vis $name:ident [$($field:ident : $ty:ty,)+] [$($init:tt)*]) => {
        impl $name {
            /// What is required; all else has its default.
            #[allow(dead_code, reason = "not every declaration is also filled in code")]
            $vis fn new($($field: $ty),+) -> Self {
                Self { $($field,)+ $($init)* }
            }
        }
    };
    (@new $vis:vis $name:ident [$($req:tt)*] [$($init:tt)*]
        $(#[doc = $doc:literal])+ prefix $key:literal => $field:ident : $ty:ty $(, $opt:ident : $arg:expr)* $(,)? ;
        $($rest:tt)*
    ) => { $crate::config!(@new $vis $name [$($req)*] [$($init)* $field: ::std::default::Default::default(),] $($rest)*); };
    (@new $vis:vis $name:ident [$($req:tt)*] [$($init:tt)*]
        $(#[doc = $doc:literal])+ nested $key:literal => $field:ident : $ty:ty ;
        $($rest:tt)*
    ) => { $crate::config!(@new $vis $name [$($req)*] [$($init)* $field: ::std::default::Default::default(),] $($rest)*); };
    (@new $vis:vis $name:ident [$($req:tt)*] [$($init:tt)*]
        $(#[doc = $doc:literal])+ $key:literal => $field:ident : Option<$ty:ty> $(, $opt:ident : $arg:expr)* $(,)? ;
        $($rest:tt)*
    ) => { $crate::config!(@new $vis $name [$($req)*] [$($init)* $field: ::std::option::Option::None,] $($rest)*); };
    (@new $vis:vis $name:ident [$($req:tt)*] [$($init:tt)*]
        $(#[doc = $doc:literal])+ $key:literal => $field:ident : $ty:ty = $default:expr
            $(, $opt:ident : $arg:expr)* $(,)? ;
        $($rest:tt)*
    ) => { $crate::config!(@new $vis $name [$($req)*] [$($init)* $field: $default,] $($rest)*); };
    (@new $vis:vis $name:ident [$($req:tt)*] [$($init:tt)*]
        $(#[doc = $doc:literal])+ $key:literal => $field:ident : $ty:ty $(, $opt:ident : $arg:expr)* $(,)? ;
        $($rest:tt)*
    ) => { $crate::config!(@new $vis $name [$($req)* $field: $ty,] [$($init)*] $($rest)*); };

    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $name:ident { $($body:tt)* } $(check $check:expr)?
    ) => {
        $crate::config!(@config [$($doc)+] $vis $name [$($check)?] $($body)*);
        $crate::config!(@new $vis $name [] [] $($body)*);
    };
}
