//! The program `batchdesk`: reads the command line and does what it says.

fn main() -> std::process::ExitCode {
    batchdesk::cli::run()
}
