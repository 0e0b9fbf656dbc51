//! What the compiler says to mistakes in the use of bindings: `tests/ui` has each with its words.
//!
//! `TRYBUILD=overwrite cargo test -p rawbpf-macros` writes them down again, for a new compiler.

#[test]
fn mistakes_are_errors_of_the_compiler() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
