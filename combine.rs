
#[cfg(test)]
#[path = "combine_tests.rs"]
mod tests;
