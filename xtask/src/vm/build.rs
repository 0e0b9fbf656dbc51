//! Builds what the guests run: the live tests, the `rawbpf` command, the tools and the examples, linked statically, because a guest has
//! no libraries.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The flags below apply only to this target: build scripts and macros are built for the host.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What a guest runs.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The live tests' executables, each with its usual name.
    pub(crate) tests: Vec<(String, PathBuf)>,
    /// The `rawbpf` command.
    pub(crate) command: PathBuf,
    /// The tools, which are one program.
    pub(crate) tools: PathBuf,
    /// The library's examples, by name.
    pub(crate) examples: Vec<(String, PathBuf)>,
}

/// The root folder of the workspace.
pub(crate) fn workspace() -> Result<PathBuf> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = xtask
        .parent()
        .context("the package xtask is not in a workspace")?;
    Ok(root.to_owned())
}

/// Builds the tests, the command, the tools and the examples.
pub(crate) fn build(root: &Path) -> Result<Programs> {
    if env::consts::ARCH != "x86_64" {
        bail!(
            "the guests are x86_64 machines; their tests cannot be built on {}",
            env::consts::ARCH
        );
    }
    let live = live_tests(root)?;
    if live.is_empty() {
        bail!("no package of the workspace has an integration test whose name starts with `live`");
    }
    let mut tests = cargo(root, "test");
    tests.arg("--no-run");
    for (package, test) in &live {
        tests.args(["--package", package, "--test", test]);
    }
    let mut examples = cargo(root, "build");
    examples.args(["--package", "rawbpf", "--examples"]);
    Ok(Programs {
        tests: named(executables(&mut tests, "test")?),
        command: program(root, "rawbpf-cli", "rawbpf")?,
        tools: program(root, "rawbpf-tools", "rawbpf-tools")?,
        examples: executables(&mut examples, "example")?,
    })
}

/// Builds a program of this package.
fn program(root: &Path, package: &str, name: &str) -> Result<PathBuf> {
    let mut build = cargo(root, "build");
    build.args(["--package", package, "--bin", name]);
    match &executables(&mut build, "bin")?[..] {
        [(_, path)] => Ok(path.clone()),
        _ => bail!("cargo built no program `{name}`"),
    }
}

fn cargo(root: &Path, chore: &str) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // A separate folder: other flags would make every other build of the host start over.
    cargo
        .arg(chore)
        .args(["--target", TARGET, "--target-dir", "target/guest"])
        .args(["--message-format", "json-render-diagnostics", "--quiet"])
        .current_dir(root)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // Small files boot faster, and emulated CPUs are slow; overflow checks stay.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    cargo
}

/// The package and name of every integration test whose name starts with `live`.
fn live_tests(root: &Path) -> Result<Vec<(String, String)>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root);
    let metadata: Value = serde_json::from_str(&super::tools::output_of(&mut cargo)?)?;
    Ok(live_tests_in(&metadata))
}

fn live_tests_in(metadata: &Value) -> Vec<(String, String)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut tests = Vec::new();
    for package in list(&metadata["packages"]) {
        for target in list(&package["targets"]) {
            let name = target["name"].as_str().unwrap_or_default();
            if list(&target["kind"]).contains(&"test".into()) && name.starts_with("live") {
                let package = package["name"].as_str().unwrap_or_default();
                tests.push((package.to_owned(), name.to_owned()));
            }
        }
    }
    tests
}

/// Runs cargo and returns the name of each target of this kind, with its executable. (The tests of a command make cargo
/// build the command, too.)
fn executables(cargo: &mut Command, kind: &str) -> Result<Vec<(String, PathBuf)>> {
    let shown = format!("{cargo:?}");
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("while starting {shown}"))?;
    if !output.status.success() {
        bail!("building for the guests failed: {shown}");
    }
    let messages = String::from_utf8(output.stdout)?;
    Ok(messages
        .lines()
        .filter_map(|message| executable(message, kind))
        .collect())
}

fn executable(message: &str, kind: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = message["executable"].as_str()?;
    let kinds = message["target"]["kind"].as_array()?;
    if !kinds.iter().any(|found| found == kind) {
        return None;
    }
    Some((
        message["target"]["name"].as_str()?.to_owned(),
        PathBuf::from(path),
    ))
}

/// Gives targets of the same name in different packages different names.
fn named(tests: Vec<(String, PathBuf)>) -> Vec<(String, PathBuf)> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    tests
        .into_iter()
        .map(|(name, path)| {
            let times = seen.entry(name.clone()).or_default();
            *times += 1;
            (
                if *times == 1 {
                    name
                } else {
                    format!("{name}-{times}")
                },
                path,
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn live_tests_are_found_by_kind_and_name() {
        let metadata = json!({"packages": [
            {"name": "rawbpf", "targets": [
                {"name": "rawbpf", "kind": ["lib"]},
                {"name": "live", "kind": ["test"]},
                {"name": "offline", "kind": ["test"]},
                {"name": "live_bench", "kind": ["bench"]}]},
            {"name": "rawbpf-cli", "targets": [{"name": "live_run", "kind": ["test"]}]}]});
        let pair = |package: &str, test: &str| (package.to_owned(), test.to_owned());
        let expected = [pair("rawbpf", "live"), pair("rawbpf-cli", "live_run")];
        assert_eq!(live_tests_in(&metadata), expected);
    }

    #[test]
    fn executables_are_found_among_cargos_messages() {
        let built = r#"{"reason":"compiler-artifact","target":{"name":"live","kind":["test"]},"executable":"/x"}"#;
        assert_eq!(
            executable(built, "test"),
            Some(("live".to_owned(), PathBuf::from("/x")))
        );
        assert_eq!(executable(built, "bin"), None);
        assert_eq!(
            executable(r#"{"reason":"build-finished","success":true}"#, "test"),
            None
        );
        assert_eq!(
            executable(r#"{"target":{"name":"rawbpf"},"executable":null}"#, "bin"),
            None
        );
    }

    #[test]
    fn tests_of_one_name_get_two() {
        let twice = ["live", "live"]
            .map(|name| (name.to_owned(), PathBuf::new()))
            .to_vec();
        let names: Vec<_> = named(twice).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["live", "live-2"]);
    }
}
