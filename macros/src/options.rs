//! What a call of the macro says.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree, token_stream};
use std::env;
use std::iter::Peekable;

/// What is wrong with a call, and where.
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) span: Span,
}

impl Mistake {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
        }
    }
}

/// A call.
pub(crate) struct Options {
    pub(crate) path: Literal,
    pub(crate) module: Option<String>,
    pub(crate) is_public: bool,
    pub(crate) derives: Vec<String>,
    pub(crate) types: Vec<Literal>,
    /// Maps, and the types of their events.
    pub(crate) events: Vec<(Literal, Literal)>,
    pub(crate) optional: Vec<Literal>,
}

/// A text, and where it stands.
#[derive(Clone)]
pub(crate) struct Literal {
    pub(crate) text: String,
    pub(crate) span: Span,
}

type Tokens = Peekable<token_stream::IntoIter>;

const USAGE: &str = "after the path come `mod = NAME`, `pub`, `derive(TRAIT, ..)`, `types(\"TYPE\", ..)`, `events(MAP = \"TYPE\", ..)` or \
                     `optional(\"MAP\", ..)`";

impl Options {
    /// # Errors
    /// What is wrong with the first token that is out of place.
    pub(crate) fn parse(input: TokenStream) -> Result<Self, Mistake> {
        let mut tokens = input.into_iter().peekable();
        let mut options = Self {
            path: path(&mut tokens)?,
            module: None,
            is_public: false,
            derives: Vec::new(),
            types: Vec::new(),
            events: Vec::new(),
            optional: Vec::new(),
        };
        while next_part(&mut tokens)? {
            options.part(&mut tokens)?;
        }
        Ok(options)
    }

    fn part(&mut self, tokens: &mut Tokens) -> Result<(), Mistake> {
        let word = match tokens.next() {
            Some(TokenTree::Ident(word)) => word,
            Some(other) => return Err(Mistake::new(other.span(), USAGE)),
            None => return Ok(()),
        };
        match word.to_string().as_str() {
            "pub" => {
                self.is_public = true;
                let is_mod = |token: &TokenTree| token.to_string() == "mod";
                if tokens.next_if(is_mod).is_some() {
                    self.module = Some(assigned(&word, tokens)?);
                }
            }
            "mod" => self.module = Some(assigned(&word, tokens)?),
            "derive" => {
                let traits = split(group(&word, tokens)?);
                self.derives
                    .extend(traits.iter().map(|path| one_path(path)));
            }
            "types" => self.types.extend(literals(group(&word, tokens)?)?),
            "optional" => self.optional.extend(literals(group(&word, tokens)?)?),
            "events" => {
                for pair in split(group(&word, tokens)?) {
                    self.events.push(event(&word, pair)?);
                }
            }
            other => {
                let message = format!("there is no option `{other}`: {USAGE}");
                return Err(Mistake::new(word.span(), message));
            }
        }
        Ok(())
    }
}

/// A path as rustc prints it, without the spaces between its tokens.
fn one_path(tokens: &[TokenTree]) -> String {
    tokens.iter().map(ToString::to_string).collect()
}

/// Takes the comma before the next part. Returns whether there is one.
fn next_part(tokens: &mut Tokens) -> Result<bool, Mistake> {
    match tokens.next() {
        None => Ok(false),
        Some(TokenTree::Punct(comma)) if comma.as_char() == ',' => Ok(tokens.peek().is_some()),
        Some(other) => Err(Mistake::new(
            other.span(),
            format!("a comma is missing here: {USAGE}"),
        )),
    }
}

/// The name after `=`.
fn assigned(word: &Ident, tokens: &mut Tokens) -> Result<String, Mistake> {
    let is_equals = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == '=');
    match (tokens.next_if(is_equals), tokens.next()) {
        (Some(_), Some(TokenTree::Ident(name))) => Ok(name.to_string()),
        _ => Err(Mistake::new(
            word.span(),
            "it takes a name: `mod = opensnoop`",
        )),
    }
}

/// What stands in parentheses after a word.
fn group(word: &Ident, tokens: &mut Tokens) -> Result<TokenStream, Mistake> {
    match tokens.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
            Ok(group.stream())
        }
        _ => Err(Mistake::new(
            word.span(),
            format!("`{word}` takes a list in parentheses"),
        )),
    }
}

/// The parts between commas.
fn split(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(comma), _) if comma.as_char() == ',' => parts.push(Vec::new()),
            (_, Some(part)) => part.push(token),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn literals(tokens: TokenStream) -> Result<Vec<Literal>, Mistake> {
    let parts = split(tokens).into_iter();
    parts.map(|part| only_literal(&part)).collect()
}

/// A string literal, or a name without quotes.
fn only_literal(part: &[TokenTree]) -> Result<Literal, Mistake> {
    match part {
        [TokenTree::Ident(name)] => Ok(Literal {
            text: name.to_string(),
            span: name.span(),
        }),
        [token] => text_of(token)
            .ok_or_else(|| Mistake::new(token.span(), "this is not a string in quotes")),
        [first, ..] => Err(Mistake::new(first.span(), "a comma is missing after this")),
        [] => Err(Mistake::new(Span::call_site(), "a name is missing")),
    }
}

/// `map = "type"`.
fn event(word: &Ident, part: Vec<TokenTree>) -> Result<(Literal, Literal), Mistake> {
    let span = part.first().map_or(word.span(), TokenTree::span);
    let mut part = part.into_iter();
    match (part.next(), part.next(), part.next(), part.next()) {
        (Some(map), Some(TokenTree::Punct(equals)), Some(event), None)
            if equals.as_char() == '=' =>
        {
            Ok((only_literal(&[map])?, only_literal(&[event])?))
        }
        _ => Err(Mistake::new(span, "`events` takes `MAP = \"TYPE\"`")),
    }
}

/// The path: a string literal, or `concat!(..)` of some.
fn path(tokens: &mut Tokens) -> Result<Literal, Mistake> {
    const USAGE: &str = "it takes the path of an object, such as \"opensnoop.bpf.o\"";
    let Some(first) = tokens.next() else {
        return Err(Mistake::new(Span::call_site(), USAGE));
    };
    match value(&first, tokens)? {
        Some(path) => Ok(path),
        None => Err(Mistake::new(first.span(), USAGE)),
    }
}

/// The value of a literal, of `env!` or of `concat!`; `None` if it is something else.
fn value(first: &TokenTree, rest: &mut Tokens) -> Result<Option<Literal>, Mistake> {
    if let TokenTree::Group(group) = first
        && group.delimiter() == Delimiter::None
    {
        // What a macro by example passes on.
        let mut inner = group.stream().into_iter().peekable();
        return match inner.next() {
            Some(first) => value(&first, &mut inner),
            None => Ok(None),
        };
    }
    let TokenTree::Ident(name) = first else {
        return Ok(text_of(first));
    };
    let is_bang = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == '!');
    if rest.next_if(is_bang).is_none() {
        return Ok(None);
    }
    let Some(TokenTree::Group(arguments)) = rest.next() else {
        return Ok(None);
    };
    match name.to_string().as_str() {
        "concat" => concat(&arguments).map(Some),
        "env" => variable(&arguments).map(Some),
        _ => Ok(None),
    }
}

fn concat(arguments: &Group) -> Result<Literal, Mistake> {
    let mut text = String::new();
    for part in split(arguments.stream()) {
        let mut part = part
            .into_iter()
            .collect::<TokenStream>()
            .into_iter()
            .peekable();
        if let Some(first) = part.next() {
            let of_part = value(&first, &mut part)?;
            let of_part = of_part.ok_or_else(|| {
                Mistake::new(first.span(), "only strings and `env!` can be read here")
            })?;
            text.push_str(&of_part.text);
        }
    }
    Ok(Literal {
        text,
        span: arguments.span(),
    })
}

fn variable(arguments: &Group) -> Result<Literal, Mistake> {
    let name = split(arguments.stream());
    let name = name.first().map(|name| only_literal(name)).transpose()?;
    let span = arguments.span();
    let Some(name) = name else {
        return Err(Mistake::new(span, "`env!` takes the name of a variable"));
    };
    match env::var(&name.text) {
        Ok(text) => Ok(Literal { text, span }),
        Err(_) => Err(Mistake::new(
            span,
            format!(
                "the environment variable `{}` is not set when this is compiled{}",
                name.text,
                if name.text == "OUT_DIR" {
                    ": it is in packages with a build script"
                } else {
                    ""
                }
            ),
        )),
    }
}

/// The value of a string literal, raw or not.
fn text_of(token: &TokenTree) -> Option<Literal> {
    let TokenTree::Literal(literal) = token else {
        return None;
    };
    let source = literal.to_string();
    let text = match source.strip_prefix('r') {
        Some(raw) => {
            let inner = raw.trim_matches('#');
            inner.strip_prefix('"')?.strip_suffix('"')?.to_owned()
        }
        None => unescaped(source.strip_prefix('"')?.strip_suffix('"')?)?,
    };
    Some(Literal {
        text,
        span: literal.span(),
    })
}

/// A string without its escapes, as far as paths and names have any.
fn unescaped(source: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                't' => '\t',
                '0' => '\0',
                c @ ('\\' | '"' | '\'') => c,
                _ => return None,
            },
            c => c,
        });
    }
    Some(text)
}
