//! The C face, from C: `tests/face.c` is compiled against the header and the static library.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The static library of this build: beside the test's own program.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().expect("a file is in a folder");
    let plain = folder.join("libtidewheel_sut.a");
    if plain.exists() {
        return plain;
    }
    let uplifted = folder.with_file_name("libtidewheel_sut.a");
    assert!(
        uplifted.exists(),
        "no libtidewheel_sut.a in or above {}",
        folder.display()
    );
    uplifted
}

#[test]
fn a_c_program_drives_two_hosts_from_handshake_to_time_wait() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let program = scratch.path().join("face");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let compiler = cc::Build::new()
        .target(&target)
        .host(&target)
        .opt_level(1)
        .get_compiler();
    let compiled = Command::new(compiler.path())
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(["-Wno-unused-parameter", "-g"])
        .arg("-I")
        .arg(here.join("include"))
        .arg(here.join("tests/face.c"))
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&program)
        .output()
        .expect("a C compiler runs: install gcc, or set CC");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let ran = Command::new(&program).output().expect("the program runs");
    assert!(
        ran.status.success(),
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
}
