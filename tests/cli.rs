//! The binary as a person runs it: what it prints, and with which exit code it ends.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn faultline(arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_faultline");
    // Nothing that is configured on this machine may be found.
    let command = &mut Command::new(binary);
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true").args(arguments).output().unwrap()
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config").join(name);
    path.to_str().unwrap().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_good_configuration_is_described_and_ends_in_0() {
    let output = faultline(&["check", "--config", &fixture("good/everything.yaml")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("us-east-1 in 111122223333, as arn:aws:iam::111122223333:role/faultline"));
}

#[test]
fn every_error_of_a_bad_configuration_is_printed_and_it_ends_in_2() {
    for command in ["check", "run"] {
        let output = faultline(&[command, "--config", &fixture("bad/unknown_key.yaml")]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let said = text(&output.stderr);
        assert_eq!(said.lines().count(), 2, "{said}");
        assert!(said.contains("did you mean `applications`?") && said.contains("did you mean `listen`?"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_file_that_is_not_there_is_a_configuration_error() {
    let output = faultline(&["run", "--config", "/no/such/file.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("/no/such/file.yaml: cannot be read:"), "{}", text(&output.stderr));
}

#[test]
fn a_taken_port_is_one_clear_message() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = faultline(&["demo", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.starts_with(&format!("faultline: cannot listen on {address}: choose another address")), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_ledger_of_a_newer_version_is_one_clear_message() {
    let place = tempfile::tempdir().unwrap();
    let ledger: PathBuf = place.path().join("newer.db");
    let connection = rusqlite::Connection::open(&ledger).unwrap();
    // "FLTL", as every ledger of Faultline is marked.
    connection
        .execute_batch("CREATE TABLE t (x); PRAGMA application_id = 0x464C544C; PRAGMA user_version = 99")
        .unwrap();
    let config = place.path().join("faultline.yaml");
    std::fs::write(
        &config,
        format!("listen: 127.0.0.1:0\nledger: {}\ncells: [{{regions: [us-east-1]}}]\n", ledger.display()),
    )
    .unwrap();
    let output = faultline(&["--log", "error", "run", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("written by a newer Faultline (schema 99"), "{}", text(&output.stderr));
}

#[test]
fn help_names_the_first_thing_to_try() {
    let output = faultline(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    assert!(help.contains("Try it without an AWS account:  faultline demo"), "{help}");
    for command in ["demo", "run", "check", "scan", "completions"] {
        assert!(help.contains(&format!("  {command} ")), "{command}: {help}");
    }
}

#[test]
fn shells_are_given_completions() {
    let output = faultline(&["completions", "bash"]);
    assert!(text(&output.stdout).contains("_faultline()"));
}

#[test]
fn an_unknown_command_ends_in_2() {
    assert_eq!(faultline(&["watch"]).status.code(), Some(2));
}
