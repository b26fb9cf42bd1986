//! Completion scripts and manual pages.

use crate::support::place::Place;
use insta::assert_snapshot;

#[test]
fn every_command_has_a_page() {
    let place = Place::new();
    place.run("man pages").expect(0);
    let mut names: Vec<_> = std::fs::read_dir(place.path("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in [
        "csm-loader.1",
        "csm-loader-load.1",
        "csm-loader-auth-login.1",
        "csm-loader-doctor.1",
    ] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    assert!(
        place
            .read("pages/csm-loader-load.1")
            .contains(r"\-\-mapping")
    );
    let printed = place.run("man").expect(0).stdout;
    assert!(printed.contains(".TH csm-loader 1"), "{printed}");
}

#[test]
fn a_shell_learns_the_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&format!("completions {shell}")).expect(0).stdout;
        assert!(
            script.contains("doctor") && script.contains("csm-loader"),
            "{shell}"
        );
    }
    place.run("completions tcsh").expect(2);
}

#[test]
fn a_file_in_place_of_a_folder_is_named() {
    let place = Place::new();
    place.write("people.csv", "email\n");
    let ended = place.run("man people.csv").expect(3);
    assert_snapshot!(ended.stderr, @"error: people.csv is a file; name a folder for the manual pages");
    let ended = place.run("sandbox --state-dir people.csv").expect(3);
    assert_snapshot!(ended.stderr, @"error: failed to use the state folder people.csv; it must be writable: choose another with --state-dir: it is a file, not a folder");
}
