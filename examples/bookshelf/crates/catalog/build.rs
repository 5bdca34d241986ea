//! Turns `data/dewey.txt` into a table of `(first number, name)`.

use std::path::Path;
use std::{env, fmt::Write, fs};

use anyhow::{Context, Result};

const TABLE: &str = "data/dewey.txt";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed={TABLE}");

    let text = fs::read_to_string(TABLE).with_context(|| format!("cannot read {TABLE}"))?;
    let mut code = String::from("&[\n");
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (first, name) = line
            .split_once(char::is_whitespace)
            .with_context(|| format!("{TABLE}:{}: no name", index + 1))?;
        let first: u16 = first
            .parse()
            .with_context(|| format!("{TABLE}:{}: no number", index + 1))?;
        writeln!(code, "    ({first}, {:?}),", name.trim())?;
    }
    code.push(']');

    let out = env::var_os("OUT_DIR").context("OUT_DIR is not set")?;
    fs::write(Path::new(&out).join("dewey.rs"), code)?;
    Ok(())
}
