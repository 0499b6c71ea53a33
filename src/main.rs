//! The program `batchdesk`: reads the command line and does what it says.

/// Each request on the wire and each row of a page is many short-lived pieces of memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    batchdesk::cli::run()
}
