//! The model failed: 424, 408, 500.

use super::{case::Case, client_request, detector::Detector, series::Series, server_capacity};
use crate::model::{Cause, FailureKind};

pub(super) struct ModelError;

impl Detector for ModelError {
    fn cause(&self) -> Cause {
        Cause::ModelError
    }

    fn weigh(&self, case: &Case) -> f64 {
        case.excess(Series::Server) * (1.0 - server_capacity::share(case))
            + case.excess(Series::ClientError) * (1.0 - client_request::share(case))
    }

    fn evidence(&self, case: &Case) -> String {
        let failed = self.weigh(case);
        let told =
            [(FailureKind::ModelError, "424"), (FailureKind::InternalError, "500"), (FailureKind::ModelTimeout, "408")];
        let told: Vec<String> = told
            .into_iter()
            .map(|(kind, status)| (case.told(kind), status))
            .filter(|(count, _)| *count > 0.0)
            .map(|(count, status)| format!("{count:.0} times {status}"))
            .collect();
        let told =
            if told.is_empty() { String::new() } else { format!(" (logs and records tell of {})", told.join(", ")) };
        format!(
            "{}: the model failed on {failed:.0} of {:.0} requests ({}){told}.",
            case.when(),
            case.requests,
            Case::share_text(failed, case.requests)
        )
    }

    fn remedy(&self, case: &Case) -> String {
        let id = "A failed answer may be billed: take the request ids of these findings to AWS support.";
        if case.told(FailureKind::ModelTimeout) > case.told(FailureKind::ModelError) {
            return format!(
                "The model took longer than Bedrock allows: ask for shorter answers (max_tokens) or stream them. {id}"
            );
        }
        format!(
            "Nothing in the client causes this: fall back to another model or version while it lasts, with at most one retry. {id}"
        )
    }
}
