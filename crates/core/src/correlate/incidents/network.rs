//! Something on the way closed the connection.

use super::{
    case::{Case, IDLE_TIMEOUT},
    detector::Detector,
    series::Series,
};
use crate::model::Cause;

/// Latency up to this multiple of the usual is normal.
const NORMAL: f64 = 1.3;

pub(super) struct Network;

/// Whether the timeouts of a case are lost connections that nobody noticed: they come in a burst with resets while
/// answers take no longer than usual, or after a gateway has forgotten the connection.
pub(super) fn took_timeouts(case: &Case) -> bool {
    let resets = case.excess(Series::Network);
    let burst = resets >= 3.0 && resets >= 0.3 * case.excess(Series::Timeout);
    burst && (case.is_idle_reset() || case.slowdown().is_none_or(|slowdown| slowdown < NORMAL))
}

impl Detector for Network {
    fn cause(&self) -> Cause {
        Cause::Network
    }

    fn weigh(&self, case: &Case) -> f64 {
        let surer = case.is_idle_reset() || case.streams_cut >= 3;
        let resets = case.excess(Series::Network) * if surer { 2.0 } else { 1.0 };
        resets + if took_timeouts(case) { case.excess(Series::Timeout) } else { 0.0 }
    }

    fn evidence(&self, case: &Case) -> String {
        let mut text = format!(
            "{}: {:.0} connections were lost in {} log {} of {} {}",
            case.when(),
            case.count(Series::Network),
            case.streams_cut,
            plural(case.streams_cut, "stream", "streams"),
            case.applications_cut,
            plural(case.applications_cut, "application", "applications")
        );
        if case.is_idle_reset() {
            text += &format!(
                ", {:.0} of them {IDLE_TIMEOUT:.0} s after the call began or a multiple of it",
                case.lost_idle
            );
        }
        if took_timeouts(case) && case.excess(Series::Timeout) > 0.0 {
            text += &format!(", and {:.0} calls timed out", case.count(Series::Timeout));
        }
        if let Some(slowdown) = case.slowdown().filter(|slowdown| *slowdown < NORMAL) {
            text += &format!("; answers took {slowdown:.1} times as long as usual, so nobody was too slow");
        }
        text + "."
    }

    fn remedy(&self, case: &Case) -> String {
        if case.is_idle_reset() {
            return format!(
                "A NAT gateway, VPC endpoint or load balancer forgets a connection that is silent for {IDLE_TIMEOUT:.0} s: turn on TCP keep-alive with an interval well below {IDLE_TIMEOUT:.0} s (60 s, in the SDK's configuration and net.ipv4.tcp_keepalive_time), or stream the answer so that it is never silent. The answers that were lost are billed in full."
            );
        }
        let where_ = if case.applications_cut == 1 {
            "Only one application was struck: look at its host, proxy and connection pool"
        } else {
            "Several applications were struck at once: look at what they share, the NAT gateway (ErrorPortAllocation, PacketsDropCount), the VPC endpoint and the proxy"
        };
        format!("{where_}. Retry a lost connection once, with jitter: the first attempt may be billed in full.")
    }
}

const fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}
