#![allow(clippy::unwrap_used, clippy::panic)]

use std::{collections::BTreeSet, fs, path::Path};

use super::{options::default_of, read::read, reader::Found, *};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures(kind: &str) -> Vec<std::path::PathBuf> {
    let directory = root().join("tests/fixtures/config").join(kind);
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_good_file_is_accepted() {
    for path in fixtures("good") {
        let config = load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!config.cells.is_empty(), "{}", path.display());
    }
}

#[test]
fn every_bad_file_is_refused_with_every_fault_at_its_place() {
    for path in fixtures("bad") {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let errors = read(&text, name, path.parent().unwrap(), &mut Found::default());
        // A price file is named with its directory, which is another one everywhere.
        let said = errors.expect_err(name).to_string().replace(path.parent().unwrap().to_str().unwrap(), ".");
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, format!("{said}\n")).unwrap();
        }
        let expected = fs::read_to_string(&expected)
            .unwrap_or_else(|_| panic!("{name} has no .txt beside it; UPDATE=1 cargo test writes it"));
        assert_eq!(said, expected.trim_end(), "{name}");
    }
}

#[test]
fn the_smallest_file_has_every_default() {
    let config = parse("cells: [{regions: [us-east-1]}]", "x").unwrap();
    assert_eq!(config.listen.to_string(), default_of("listen"));
    assert_eq!(config.ledger.to_str(), Some(default_of("ledger")));
    let of = |path| humantime::parse_duration(default_of(path)).unwrap();
    assert_eq!(config.metrics.poll, of("metrics.poll"));
    assert_eq!(config.metrics.settle.to_std().unwrap(), of("metrics.settle"));
    assert_eq!(config.metrics.budget_usd_per_month.to_string(), default_of("metrics.budget_usd_per_month"));
    assert_eq!(config.logs.poll, of("logs.poll"));
    assert_eq!(config.logs.overlap.to_std().unwrap(), of("logs.overlap"));
    assert_eq!(config.logs.server_side_filter.to_string(), default_of("logs.server_side_filter"));
    assert_eq!(config.correlation.window.to_std().unwrap(), of("correlation.window"));
    assert_eq!(config.correlation.horizon.to_std().unwrap(), of("correlation.horizon"));
    assert_eq!(config.correlation.invocations_count, InvocationsCount::Auto);
    assert_eq!(format!("[{}]", config.correlation.id_keys.join(", ")), default_of("correlation.id_keys"));
    assert_eq!(config.retention.findings.to_std().unwrap(), of("retention.findings"));
    assert_eq!(config.retention.cursors.to_string(), default_of("retention.cursors"));
    assert_eq!(config.shutdown_timeout, of("shutdown_timeout"));
    assert_eq!(config.monthly_budget_usd, None);
}

/// Which options the example asks for, and its configuration.
fn example() -> (BTreeSet<String>, Config) {
    let mut found = Found::default();
    let text = fs::read_to_string(root().join("faultline.example.yaml")).unwrap();
    let config = read(&text, "faultline.example.yaml", root(), &mut found).unwrap_or_else(|errors| panic!("{errors}"));
    (found.options, config)
}

#[test]
fn the_documented_options_are_exactly_those_that_are_read() {
    let documented: BTreeSet<String> = OPTIONS.iter().map(|option| option.path.to_owned()).collect();
    // Sections are not options of their own.
    let mut read = example().0;
    read.retain(|path| !["metrics", "logs", "correlation", "budget", "retention"].contains(&path.as_str()));
    assert_eq!(documented, read);
}

#[test]
fn the_example_shows_every_option_and_its_defaults_where_it_shows_none_of_its_own() {
    let text = fs::read_to_string(root().join("faultline.example.yaml")).unwrap();
    for option in OPTIONS {
        let key = option.path.rsplit('.').next().unwrap().trim_end_matches("[]");
        assert!(text.contains(&format!("{key}:")), "{} is not in the example", option.path);
    }
    let (example, defaults) = (example().1, parse("cells: [{regions: [us-east-1]}]", "x").unwrap());
    assert_eq!((example.listen, example.metrics, example.logs), (defaults.listen, defaults.metrics, defaults.logs));
    assert_eq!(example.correlation, defaults.correlation);
}

#[test]
fn the_documentation_holds_the_table_of_options() {
    let path = root().join("docs/configuration.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- options -->\n", "<!-- end of options -->");
    let start = text.find(begin).unwrap() + begin.len();
    let stop = text.find(end).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{}{}{}", &text[..start], options_table(), &text[stop..])).unwrap();
        return;
    }
    assert_eq!(&text[start..stop], options_table(), "UPDATE=1 cargo test refreshes docs/configuration.md");
}

#[test]
fn a_person_is_told_what_would_be_polled() {
    insta::assert_snapshot!(describe(&example().1));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let said = load(Path::new("no/such/faultline.yaml")).unwrap_err().to_string();
    assert!(said.starts_with("no/such/faultline.yaml: cannot be read: "), "{said}");
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let said = parse("cells: [{regions: [us-east-1], external_id: [hunter2]}]", "x").unwrap_err().to_string();
    assert!(!said.contains("hunter2"), "{said}");
}
