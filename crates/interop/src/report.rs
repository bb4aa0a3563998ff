//! The outcome of each test, printed as it becomes known.

/// Counts what was printed.
#[derive(Default, Debug)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    /// Prints the line of one test.
    pub(crate) fn line(&mut self, name: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok {name}");
            }
            Err(why) => {
                self.failed += 1;
                println!("FAIL {name} {why}");
            }
        }
    }

    /// Whether there were tests and none failed.
    pub(crate) fn passed(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_tested_is_not_a_pass_and_one_failure_fails() {
        let mut report = Report::default();
        assert!(!report.passed());
        report.line("a", Ok(()));
        assert!(report.passed());
        report.line("b", Err("why".into()));
        assert!(!report.passed());
    }
}
