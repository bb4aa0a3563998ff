# Says what is missing of Rust before an hour of building finds out. To be sourced.

# The oldest Rust that the workspace builds with.
rust_wanted() {
    sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml
}

# need_rust [COMPONENT...]: Cargo is in PATH and new enough, and so is `cargo COMPONENT`.
need_rust() {
    local component version wanted home
    if ! command -v cargo >/dev/null; then
        echo "Rust is missing: cargo is not in PATH." >&2
        for home in "$HOME" "$(getent passwd "${SUDO_USER:-$(id -un)}" | cut -d: -f6)"; do
            [[ -x $home/.cargo/bin/cargo ]] || continue
            echo "It is in $home/.cargo/bin: 'export PATH=$home/.cargo/bin:\$PATH'," \
                "or under sudo: sudo env \"PATH=\$PATH\" $0" >&2
            return 1
        done
        echo "Install it from https://rustup.rs" >&2
        return 1
    fi
    version=$(cargo --version | cut -d' ' -f2)
    wanted=$(rust_wanted)
    if [[ $(printf '%s\n' "$wanted" "$version" | sort --version-sort | head -n 1) != "$wanted" ]]; then
        echo "Rust $version is too old, $wanted is needed: see https://rustup.rs" >&2
        return 1
    fi
    for component in "$@"; do
        if ! cargo "$component" --version >/dev/null 2>&1; then
            echo "cargo $component is missing: rustup component add ${component/#fmt/rustfmt}" >&2
            return 1
        fi
    done
}
