//! Compiles a source outside of a build script, and says what became of it.

use rawbpf_build::{Build, Result};
use std::env;
use std::path::Path;

fn main() -> Result<()> {
    let sources: Vec<String> = env::args().skip(1).collect();
    let build = sources
        .iter()
        .fold(Build::new(), |build, source| build.source(source));
    let compiled = build.object()?;
    println!("{} bytes", compiled.object().len());
    for path in compiled.dependencies() {
        println!("from {}", Path::display(path));
    }
    Ok(())
}
