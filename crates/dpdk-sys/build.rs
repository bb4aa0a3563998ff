//! Finds the system's libdpdk, compiles the shim against it and generates the bindings.

use std::env;
use std::path::{Path, PathBuf};
use std::process::exit;

/// The oldest release whose names the shim knows.
const OLDEST: &str = "22.11";

fn main() {
    println!("cargo:rerun-if-changed=src/shim.h");
    println!("cargo:rerun-if-changed=src/shim.c");

    let dpdk = pkg_config::Config::new()
        .atleast_version(OLDEST)
        .probe("libdpdk")
        .unwrap_or_else(|error| {
            fail(&format!(
                "libdpdk {OLDEST} or later was not found by pkg-config.\n\
                 Install it (Debian, Ubuntu: apt-get install libdpdk-dev pkg-config) or run scripts/setup;\n\
                 for a DPDK of your own, set PKG_CONFIG_PATH to the folder of its libdpdk.pc.\n\n{error}"
            ))
        });
    // pkg-config names the core libraries only: drivers are plugins that EAL loads at start. This one
    // is also called by its own interface.
    println!("cargo:rustc-link-lib=rte_net_ring");

    let flags = cflags();
    compile_shim(&flags);
    generate_bindings(&flags);
    println!("cargo:version={}", dpdk.version);
}

/// The compiler flags of libdpdk.pc word by word: the pkg-config crate keeps only `-I` and `-D`, but
/// the inlines need `-march` and `-include rte_config.h` as well.
fn cflags() -> Vec<String> {
    let tool = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let output = std::process::Command::new(&tool)
        .args(["--cflags", "libdpdk"])
        .output()
        .unwrap_or_else(|error| fail(&format!("cannot run {tool}: {error}")));
    if !output.status.success() {
        fail(&format!(
            "{tool} --cflags libdpdk failed: {}",
            output.status
        ));
    }
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

fn compile_shim(flags: &[String]) {
    let mut build = cc::Build::new();
    build.file("src/shim.c").warnings(true).extra_warnings(true);
    // DPDK's headers are compiled whatever the profile as they are meant to be: optimised.
    build.opt_level(3);
    for flag in flags {
        build.flag(flag);
    }
    // DPDK's own inlines leave parameters unused in some releases.
    build.flag_if_supported("-Wno-unused-parameter");
    if let Err(error) = build.try_compile("dpdk_shim") {
        fail(&format!(
            "the C shim did not compile (a C compiler is needed: apt-get install gcc libc6-dev):\n{error}"
        ));
    }
}

fn generate_bindings(flags: &[String]) {
    // bindgen loads libclang at run time and panics when there is none: say what to install instead.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let generated = std::panic::catch_unwind(|| {
        bindgen::Builder::default()
            .header("src/shim.h")
            .clang_args(flags)
            .allowlist_function("shim_.*")
            .allowlist_type("shim_.*")
            .allowlist_var("SHIM_.*")
            .allowlist_var("RTE_LOG_.*|RTE_MAX_(LCORE|ETHPORTS)")
            .allowlist_function("rte_eal_(init|cleanup|get_runtime_dir)")
            .allowlist_function("rte_thread_(un)?register")
            .allowlist_function("rte_eal_alarm_set")
            .allowlist_function("rte_get_tsc_hz")
            .allowlist_function("rte_dev_(probe|remove)")
            .allowlist_function("rte_eth_dev_(start|stop|close|get_mtu|adjust_nb_rx_tx_desc)")
            .allowlist_function("rte_eth_promiscuous_(enable|disable)")
            .allowlist_function("rte_eth_allmulticast_enable")
            .allowlist_function("rte_eth_stats_get")
            .allowlist_function("rte_eth_xstats_(get|get_names)")
            .allowlist_function("rte_eth_from_rings")
            .allowlist_function("rte_ring_(create|free)")
            .allowlist_var("RING_F_.*")
            .allowlist_function("rte_pktmbuf_(pool_create|free_bulk)")
            .allowlist_function("rte_mempool_(free|avail_count)")
            // Only ever seen through pointers, and of another shape in each release: src/opaque.rs.
            .blocklist_type("rte_(mbuf|mempool|ring|device).*")
            .raw_line("use crate::opaque::{rte_device, rte_mbuf, rte_mempool, rte_ring};")
            .use_core()
            .prepend_enum_name(false)
            .default_enum_style(bindgen::EnumVariation::Consts)
            .generate_comments(false)
            .layout_tests(false)
            .generate()
    });
    std::panic::set_hook(hook);
    let bindings = match generated {
        Ok(Ok(bindings)) => bindings,
        Ok(Err(error)) => fail(&format!("bindgen could not read DPDK's headers: {error}")),
        Err(_) => fail(
            "libclang was not found, which bindgen needs to read DPDK's headers.\n\
             Install it (Debian, Ubuntu: apt-get install libclang-dev) or run scripts/setup;\n\
             for one elsewhere, set LIBCLANG_PATH to the folder of libclang.so.",
        ),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_else(|| fail("OUT_DIR is not set")));
    write(&bindings, &out.join("bindings.rs"));
}

fn write(bindings: &bindgen::Bindings, path: &Path) {
    if let Err(error) = bindings.write_to_file(path) {
        fail(&format!("cannot write {}: {error}", path.display()));
    }
}

/// Ends the build with a message that stands by itself, without a backtrace.
fn fail(message: &str) -> ! {
    eprintln!("\n{message}\n");
    exit(1)
}
