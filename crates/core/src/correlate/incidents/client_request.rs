//! The requests were wrong: 400, 403, 404.

use super::{case::Case, detector::Detector, series::Series};
use crate::model::{Cause, FailureKind};

pub(super) struct ClientRequest;

/// The share of the caller's own mistakes among the errors that AWS counts on the client's side.
pub(super) fn share(case: &Case) -> f64 {
    case.share_of(&[FailureKind::Rejected], &[FailureKind::ModelError, FailureKind::ModelTimeout], 0.5)
}

impl Detector for ClientRequest {
    fn cause(&self) -> Cause {
        Cause::ClientRequest
    }

    fn weigh(&self, case: &Case) -> f64 {
        case.excess(Series::ClientError) * share(case)
    }

    fn evidence(&self, case: &Case) -> String {
        let rejected = self.weigh(case);
        format!(
            "{}: {rejected:.0} of {:.0} requests ({}) were rejected as wrong or not allowed.",
            case.when(),
            case.requests,
            Case::share_text(rejected, case.requests)
        )
    }

    fn remedy(&self, _: &Case) -> String {
        "The exception in the application's log says what is wrong: a deployment, a permission or a model id that changed at the start of this. Such calls are not billed; do not retry them.".into()
    }
}
