//! Failpoints for the torture tests (torture.rs): never in what a release profile makes.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../migrations");
    println!("cargo::rustc-check-cfg=cfg(failpoints)");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        println!("cargo::rustc-cfg=failpoints");
    }
}
