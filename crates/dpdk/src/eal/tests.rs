use super::*;

fn line(args: &EalArgs, memory: Memory) -> String {
    let argv = argv(args, "p", memory).expect("argv");
    let words: Vec<_> = argv.iter().map(|arg| arg.to_string_lossy()).collect();
    words.join(" ")
}

#[test]
fn plain_memory_and_no_devices() {
    let args = EalArgs {
        cpus: vec![0, 1],
        memory_mb: 64,
        ..EalArgs::default()
    };
    let line = line(&args, Memory::Plain);
    assert!(line.contains("--lcores 0@(0,1)"), "{line}");
    assert!(
        line.contains("--no-huge") && line.contains("-m 64"),
        "{line}"
    );
    assert!(
        line.contains("--no-pci") && !line.contains("--in-memory"),
        "{line}"
    );
}

#[test]
fn huge_pages_and_devices() {
    let args = EalArgs {
        pci: vec!["0000:01:00.0".into()],
        vdevs: vec!["net_null0".into()],
        ..EalArgs::default()
    };
    let line = line(&args, Memory::Huge);
    assert!(
        line.contains("--in-memory") && !line.contains("--no-huge"),
        "{line}"
    );
    assert!(line.contains("-a 0000:01:00.0 --vdev net_null0"), "{line}");
    assert!(!line.contains("--no-pci"), "{line}");
}

#[test]
fn a_prefix_is_one_folder() {
    for prefix in ["", "../x", "a/b", ".."] {
        assert!(matches!(
            argv(&EalArgs::default(), prefix, Memory::Plain),
            Err(Error::BadArgument(_))
        ));
    }
}

#[test]
fn failures_are_named() {
    let args = EalArgs::default();
    assert!(matches!(
        explain(
            libc::EACCES,
            &args,
            Memory::Huge,
            "Cannot get hugepage information.".into()
        ),
        Error::NoHugepages { .. }
    ));
    assert!(matches!(
        explain(libc::EACCES, &args, Memory::Plain, String::new()),
        Error::Permission { .. }
    ));
    assert!(matches!(
        explain(libc::EALREADY, &args, Memory::Plain, String::new()),
        Error::AlreadyInitialised
    ));
    let no_memory = |memory| explain(libc::ENOMEM, &args, memory, String::new());
    assert!(matches!(no_memory(Memory::Huge), Error::NoHugepages { .. }));
    assert!(matches!(no_memory(Memory::Plain), Error::Dpdk { .. }));
}
