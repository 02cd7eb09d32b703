
#[cfg(test)]
#[path = "correlator_tests.rs"]
mod tests;
