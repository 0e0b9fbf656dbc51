//! A loader's results for an object, in the same shape for both.

/// The results of one loader for one object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opinion {
    /// The loader with its version.
    pub(crate) loader: String,
    /// Whether the object could be opened, and the error if not.
    pub(crate) opened: Outcome,
    /// Whether the object as it stands could be prepared or loaded.
    pub(crate) whole: Outcome,
    /// Its programs, in the object's order.
    pub(crate) programs: Vec<Program>,
    /// Its maps, in the object's order.
    pub(crate) maps: Vec<Map>,
}

/// How a step went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was not tried.
    #[default]
    Untried,
    /// It worked.
    Good,
    /// It failed.
    Bad {
        /// The error number, if there was one.
        errno: Option<i32>,
        /// The message.
        message: String,
    },
}

impl Outcome {
    /// Whether it worked.
    pub(crate) fn is_good(&self) -> bool {
        *self == Self::Good
    }

    /// From the fields that both loaders' JSON has.
    pub(crate) fn new(ok: bool, errno: Option<i32>, message: Option<String>) -> Self {
        if ok {
            Self::Good
        } else {
            Self::Bad {
                errno,
                message: message.unwrap_or_default(),
            }
        }
    }

    /// For a line of the report.
    pub(crate) fn show(&self) -> String {
        match self {
            Self::Untried => "not tried".to_owned(),
            Self::Good => "accepted".to_owned(),
            Self::Bad { errno, message } => {
                let errno = errno.map_or("-".to_owned(), |errno| errno.to_string());
                format!(
                    "refused, errno {errno}: {}",
                    message.lines().next().unwrap_or_default()
                )
            }
        }
    }
}

/// One program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: String,
    /// Its result when tried alone; in a preparation, that of the object with it.
    pub(crate) verdict: Outcome,
    /// What else can be compared, by name; a fact stated by only one side is not compared.
    pub(crate) facts: Vec<Fact>,
}

/// One map.
#[derive(Debug, Clone, Default)]
pub(crate) struct Map {
    /// Its name.
    pub(crate) name: String,
    /// Its attributes.
    pub(crate) facts: Vec<Fact>,
}

/// A thing that should be equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// What it is.
    pub(crate) name: &'static str,
    /// Its value as text.
    pub(crate) value: String,
}

impl Fact {
    /// A fact, if it is known.
    pub(crate) fn new(name: &'static str, value: Option<impl ToString>) -> Option<Self> {
        Some(Self {
            name,
            value: value?.to_string(),
        })
    }
}

/// The value of the fact called `name`.
pub(crate) fn fact<'a>(facts: &'a [Fact], name: &str) -> Option<&'a str> {
    facts
        .iter()
        .find(|fact| fact.name == name)
        .map(|fact| fact.value.as_str())
}
