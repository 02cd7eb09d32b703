//! How often what is asked, so that a month's polling stays within its budget.
//!
//! Two guards. The *pace* looks ahead: where asking as often as configured would overrun the budget, intervals are
//! stretched beforehand, the details first. The *purse* holds what may be spent now: it fills as the month goes by, and
//! no range of thirty days can spend more than the budget, whatever happens.

use chrono::Duration;
use faultline_core::model::Time;

const MONTH_SECONDS: f64 = 30.0 * 86_400.0;
/// Details are asked for so many times less often before the errors are.
const DETAIL_STRETCH: f64 = 6.0;
/// What may be asked beyond the routine when errors show, as a part of asking for everything at every poll.
pub(super) const EXTRA_SHARE: f64 = 0.03;
/// The part of a month's budget that can be spent at once: a day's.
const PURSE_SHARE: f64 = 1.0 / 30.0;
/// What goes beyond the routine may come in bursts: so many seconds' worth of it at once.
const EXTRA_SECONDS: f64 = 7_200.0;
/// A purse always holds a few metrics, or nothing could ever be asked.
const LEAST_PURSE_USD: f64 = 0.0001;

/// What the routine costs, in US dollars, each time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct RoutineCosts {
    /// What is asked at every poll.
    pub poll: f64,
    /// What is asked at every round of details.
    pub detail: f64,
    /// Asking for everything once.
    pub everything: f64,
    /// One round of discovery.
    pub discovery: f64,
}

/// How often things are asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// From one poll to the next.
    pub poll: Duration,
    /// From one round of details to the next.
    pub detail: Duration,
    /// From one discovery to the next.
    pub discovery: Duration,
    /// US dollars a second for what goes beyond the routine.
    pub extra_usd_per_second: f64,
    /// Whether the budget makes any of it slower than configured.
    pub limited: bool,
}

impl Pace {
    /// The pace at which a month's polling costs at most `budget` dollars.
    pub(super) fn within(budget: f64, normal: &Self, costs: &RoutineCosts) -> Self {
        let a_month = |cost: f64, every: Duration| cost * MONTH_SECONDS / seconds(every);
        let poll = a_month(costs.poll, normal.poll);
        let detail = a_month(costs.detail, normal.detail);
        let discovery = a_month(costs.discovery, normal.discovery);
        let extra = EXTRA_SHARE * a_month(costs.everything, normal.poll);
        let mut pace = Self { extra_usd_per_second: extra / MONTH_SECONDS, limited: false, ..*normal };
        if poll + detail + discovery + extra <= budget {
            return pace;
        }
        pace.limited = true;
        let left = (budget - poll - detail - discovery).max(0.0);
        pace.extra_usd_per_second = left.min(extra) / MONTH_SECONDS;
        let of_details = budget - poll - discovery;
        if detail <= of_details {
            return pace;
        }
        let stretched = detail / of_details;
        if of_details > 0.0 && stretched <= DETAIL_STRETCH {
            pace.detail = times(normal.detail, stretched);
            return pace;
        }
        let all = ((poll + discovery + detail / DETAIL_STRETCH) / budget).max(1.0);
        pace.poll = times(normal.poll, all);
        pace.discovery = times(normal.discovery, all);
        pace.detail = times(normal.detail, all * DETAIL_STRETCH);
        pace
    }
}

/// What may be spent now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purse {
    /// Dollars a second.
    income: f64,
    /// The most it holds.
    most: f64,
    held: f64,
    filled_at: Time,
}

impl Purse {
    /// Of a budget of dollars a month. What it holds at first and what comes in during a month make up the budget.
    pub(super) fn monthly(budget: f64, now: Time) -> Self {
        let most = (budget * PURSE_SHARE).max(LEAST_PURSE_USD);
        let income = if budget.is_finite() { (budget - most).max(0.0) / MONTH_SECONDS } else { f64::INFINITY };
        Self { income, most, held: most, filled_at: now }
    }

    /// For what goes beyond the routine; its income comes with the pace.
    pub(super) const fn empty(now: Time) -> Self {
        Self { income: 0.0, most: 0.0, held: 0.0, filled_at: now }
    }

    /// Lets what came in since the last time fill it.
    pub(super) fn fill(&mut self, now: Time) {
        let passed = seconds(now - self.filled_at).max(0.0);
        self.filled_at = self.filled_at.max(now);
        if passed > 0.0 {
            self.held = (self.held + passed * self.income).min(self.most);
        }
    }

    /// What comes in from now on; two hours of it can be spent at once, and are held at first.
    pub(super) fn set_income(&mut self, income: f64) {
        let most = income * EXTRA_SECONDS;
        self.held = if self.most == 0.0 { most } else { self.held.min(most) };
        (self.income, self.most) = (income, most);
    }

    /// Takes `cost` out, if it holds as much.
    pub(super) fn spend(&mut self, cost: f64) -> bool {
        let enough = cost <= self.held + 1e-12;
        if enough {
            self.held = (self.held - cost).max(0.0);
        }
        enough
    }
}

fn seconds(duration: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss)] // intervals of years are far below 2^52 ms
    let milliseconds = duration.num_milliseconds() as f64;
    milliseconds / 1000.0
}

fn times(duration: Duration, factor: f64) -> Duration {
    let stretched =
        std::time::Duration::try_from_secs_f64(seconds(duration) * factor).unwrap_or(std::time::Duration::MAX);
    Duration::from_std(stretched).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn normal() -> Pace {
        Pace {
            poll: Duration::minutes(1),
            detail: Duration::minutes(10),
            discovery: Duration::minutes(5),
            extra_usd_per_second: 0.0,
            limited: false,
        }
    }

    /// 20 models of ten metrics, of which three across all models are asked at every poll.
    fn costs() -> RoutineCosts {
        RoutineCosts { poll: 3e-5, detail: 140e-5, everything: 200e-5, discovery: 1e-5 }
    }

    fn monthly(pace: &Pace, costs: &RoutineCosts) -> f64 {
        let each = [(costs.poll, pace.poll), (costs.detail, pace.detail), (costs.discovery, pace.discovery)];
        let routine: f64 = each.iter().map(|(cost, every)| cost * MONTH_SECONDS / seconds(*every)).sum();
        routine + pace.extra_usd_per_second * MONTH_SECONDS
    }

    #[test]
    fn the_extra_goes_first_then_the_details_slow_down_and_the_errors_last() {
        let costs = costs();
        let (extra, detail) = (2.592, 6.048);
        let full = monthly(&Pace::within(f64::INFINITY, &normal(), &costs), &costs);
        let slowed = |budget| Pace::within(budget, &normal(), &costs);
        assert!(!slowed(full + 0.01).limited);
        let pace = slowed(full - extra / 2.0);
        assert!(pace.limited && pace.detail == normal().detail, "{pace:?}");
        let pace = slowed(full - extra - detail / 2.0);
        assert!(pace.detail > normal().detail && pace.poll == normal().poll, "{pace:?}");
        let pace = slowed(0.5);
        assert!(pace.poll > normal().poll, "{pace:?}");
    }

    proptest! {
        #[test]
        fn a_pace_never_costs_more_than_its_budget(budget in 0.01_f64..200.0, poll in 0_u32..500, detail in 0_u32..5000, discovery in 0_u32..20) {
            let costs = RoutineCosts {
                poll: f64::from(poll) * 1e-5,
                detail: f64::from(detail) * 1e-5,
                everything: f64::from(poll + detail) * 1e-5,
                discovery: f64::from(discovery) * 1e-5,
            };
            let pace = Pace::within(budget, &normal(), &costs);
            prop_assert!(monthly(&pace, &costs) <= budget * 1.001, "{pace:?}");
            prop_assert!(pace.poll >= normal().poll && pace.detail >= normal().detail);
        }

        #[test]
        fn a_purse_never_spends_more_than_its_budget_in_thirty_days(budget in 0.1_f64..100.0, wants in prop::collection::vec((0_i64..40_000, 0_u32..5_000), 1..300)) {
            let mut now = DateTime::UNIX_EPOCH;
            let mut purse = Purse::monthly(budget, now);
            let mut spent = Vec::new();
            for (later, metrics) in wants {
                now += Duration::seconds(later);
                purse.fill(now);
                let cost = f64::from(metrics) * 1e-5;
                if purse.spend(cost) {
                    spent.push((now, cost));
                }
            }
            for (from, _) in &spent {
                let month = spent.iter().filter(|(at, _)| (*from..*from + Duration::days(30)).contains(at));
                prop_assert!(month.map(|(_, cost)| cost).sum::<f64>() <= budget * 1.000_001);
            }
        }
    }
}
