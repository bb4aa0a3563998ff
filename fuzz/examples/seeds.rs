//! Writes the seeds to the folder `corpus`.

fn main() -> std::io::Result<()> {
    tidewheel_fuzz::seeds::write_all(std::path::Path::new("corpus"))
}
