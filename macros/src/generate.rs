//! From a call to tokens.

use crate::bindings::{ObjectBytes, Rust};
use crate::files::{Limit, read_regular};
use crate::open::{OpenObject, OpenOptions};
use crate::options::{Literal, Mistake, Options};
use crate::place;
use proc_macro::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use std::path::Path;
use std::str::FromStr;

pub(crate) fn include_bpf(input: TokenStream) -> TokenStream {
    let text = Options::parse(input).and_then(|options| generate(&options));
    match text.and_then(|text| tokens(&text)) {
        Ok(tokens) => tokens,
        Err(mistake) => compile_error(&mistake),
    }
}

fn generate(options: &Options) -> Result<String, Mistake> {
    let at = |literal: &Literal| {
        let span = literal.span;
        move |error: crate::Error| Mistake::new(span, error.to_string())
    };
    let of_path = at(&options.path);
    let path = place::find(&options.path).map_err(|e| Mistake::new(options.path.span, e))?;
    let open = open(&path).map_err(of_path)?;
    // Asked one by one, so that each mistake is shown where it was made.
    for name in &options.types {
        open.find_type(&name.text).map_err(at(name))?;
    }
    for (map, event) in &options.events {
        open.map(&map.text).map_err(at(map))?;
        open.find_type(&event.text).map_err(at(event))?;
    }
    for map in &options.optional {
        open.map(&map.text).map_err(at(map))?;
    }
    let stem = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = stem.split('.').next().unwrap_or_default();
    let mut rust = Rust::new(&open)
        .module(options.module.as_deref().unwrap_or(stem))
        .types(options.types.iter().map(|name| &name.text))
        .object(ObjectBytes::Include(path.clone()));
    if !options.is_public {
        rust = rust.private();
    }
    for path in &options.derives {
        rust = rust.derive(path);
    }
    for (map, event) in &options.events {
        rust = rust.event(&map.text, &event.text);
    }
    for map in &options.optional {
        rust = rust.optional(&map.text);
    }
    rust.write().map_err(at(&options.path))
}

fn open(path: &Path) -> crate::Result<OpenObject> {
    let bytes = read_regular(path, Limit::OBJECT)?;
    OpenOptions::new().open(&bytes, Some(path))
}

fn tokens(text: &str) -> Result<TokenStream, Mistake> {
    TokenStream::from_str(text).map_err(|error| {
        let message = format!("the bindings cannot be read as Rust: {error}");
        Mistake::new(Span::call_site(), message)
    })
}

/// `::core::compile_error! { "message" }`, at the place of the mistake.
fn compile_error(mistake: &Mistake) -> TokenStream {
    let mut message = proc_macro::Literal::string(&mistake.message);
    message.set_span(mistake.span);
    let mut inside = Group::new(Delimiter::Brace, TokenTree::Literal(message).into());
    inside.set_span(mistake.span);
    let punct = |c, spacing| {
        let mut punct = Punct::new(c, spacing);
        punct.set_span(mistake.span);
        TokenTree::Punct(punct)
    };
    let tokens = [
        punct(':', Spacing::Joint),
        punct(':', Spacing::Alone),
        Ident::new("core", mistake.span).into(),
        punct(':', Spacing::Joint),
        punct(':', Spacing::Alone),
        Ident::new("compile_error", mistake.span).into(),
        punct('!', Spacing::Alone),
        inside.into(),
    ];
    tokens.into_iter().collect()
}
