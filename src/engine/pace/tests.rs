//! The gate by a clock that the tests turn.

use super::*;
use crate::model::clock::UnixMillis;

const SUBMIT: Endpoint = Endpoint::BulkCustomerProfiles;
const POLL: Endpoint = Endpoint::GetTask;

/// A clock that stands still until it is turned.
struct Hand(Mutex<Instant>);

impl Hand {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Instant::now())))
    }

    fn turn(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Hand {
    fn instant(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn unix_millis(&self) -> UnixMillis {
        0
    }
}

fn pace(requests_per_second: u32) -> (Pace, Arc<Hand>) {
    let hand = Hand::new();
    let clock: Arc<dyn Clock> = Arc::<Hand>::clone(&hand);
    let rate = NonZeroU32::new(requests_per_second).unwrap();
    (Pace::with_clock(Rates::within_limits(rate), clock), hand)
}

fn error(after: Option<u64>, scope: Throttle) -> ApiError {
    ApiError {
        class: ErrorClass::Throttled {
            after: after.map(Duration::from_secs),
            scope,
        },
        request: "POST".into(),
        status: Some(429),
        message: "slow down".into(),
        trace_id: None,
    }
}

/// How many requests leave within a time when each of these endpoints always has one waiting.
fn leave(pace: &Pace, hand: &Hand, endpoints: &[Endpoint], within: Duration) -> Vec<usize> {
    let step = Duration::from_millis(1);
    let mut left = vec![0; endpoints.len()];
    let mut passages = vec![Passage::default(); endpoints.len()];
    for _ in 0..within.as_millis() {
        for (index, endpoint) in endpoints.iter().enumerate() {
            while pace.admit(*endpoint, &mut passages[index]).is_none() {
                left[index] += 1;
                passages[index] = Passage::default();
            }
        }
        hand.turn(step);
    }
    left
}

#[test]
fn a_second_holds_the_configured_number_of_requests_and_a_tenth() {
    let (pace, hand) = pace(50);
    let first = leave(&pace, &hand, &[SUBMIT], Duration::from_secs(1))[0];
    assert!((54..=55).contains(&first), "{first}");
    let next = leave(&pace, &hand, &[SUBMIT], Duration::from_secs(10))[0];
    assert!((499..=501).contains(&next), "{next}");
}

#[test]
fn a_stand_in_may_know_no_limits_but_the_configured_one() {
    let hand = Hand::new();
    let clock: Arc<dyn Clock> = Arc::<Hand>::clone(&hand);
    let rates = Rates {
        requests_per_second: NonZeroU32::new(5_000).unwrap(),
        platform_limits: false,
    };
    assert!((rates.polls() - 4_000.0).abs() < f64::EPSILON);
    let pace = Pace::with_clock(rates, clock);
    let left = leave(&pace, &hand, &[SUBMIT], Duration::from_secs(2))[0];
    assert!((9_900..=10_600).contains(&left), "{left}");
}

#[test]
fn an_endpoint_keeps_its_methods_burst_limit_however_much_is_configured() {
    for (endpoint, most) in [
        (SUBMIT, 100),
        (Endpoint::GetProduct, 100),
        (Endpoint::RenameProduct, 50),
        (Endpoint::DeleteProduct, 50),
    ] {
        let (pace, hand) = pace(5_000);
        let left = leave(&pace, &hand, &[endpoint], Duration::from_secs(10))[0];
        assert!(left <= most * 10 + most / 10, "{endpoint:?}: {left}");
        assert!(left >= most * 10 - 1, "{endpoint:?}: {left}");
    }
}

#[test]
fn polls_never_keep_submissions_from_leaving() {
    let (pace, hand) = pace(10);
    let left = leave(&pace, &hand, &[POLL, SUBMIT], Duration::from_secs(100));
    assert!(left[0] <= 801 && left[1] >= 198, "{left:?}");
    let slow = super::tests::pace(1);
    let left = leave(&slow.0, &slow.1, &[POLL, SUBMIT], Duration::from_secs(100));
    assert!(left[0] <= 81 && left[1] >= 19, "{left:?}");
}

#[test]
fn a_quota_holds_every_request_even_one_that_waited_for_its_pace() {
    let (pace, hand) = pace(1);
    assert_eq!(pace.admit(SUBMIT, &mut Passage::default()), None);
    let mut waiting = Passage::default();
    let wait = pace.admit(POLL, &mut waiting).unwrap();
    assert!(wait <= Duration::from_secs(1));
    pace.refused(SUBMIT, &error(Some(7), Throttle::Quota));
    hand.turn(wait);
    for endpoint in [SUBMIT, POLL, Endpoint::ListProducts] {
        let left = pace.admit(endpoint, &mut waiting.clone());
        assert_eq!(
            left,
            Some(Duration::from_secs(7).checked_sub(wait).unwrap())
        );
    }
    hand.turn(Duration::from_secs(7));
    assert_eq!(pace.admit(POLL, &mut waiting), None);
}

#[test]
fn a_burst_holds_and_slows_its_endpoint_alone_and_it_recovers() {
    let (pace, hand) = pace(1_000);
    leave(&pace, &hand, &[SUBMIT], Duration::from_secs(1));
    // two that were under way together count once
    pace.refused(SUBMIT, &error(Some(1), Throttle::Burst));
    pace.refused(SUBMIT, &error(Some(1), Throttle::Burst));
    assert_eq!(
        pace.admit(SUBMIT, &mut Passage::default()),
        Some(Duration::from_secs(1))
    );
    assert_eq!(pace.admit(POLL, &mut Passage::default()), None);
    hand.turn(Duration::from_secs(1));
    let seconds: Vec<_> = (0..12)
        .map(|_| leave(&pace, &hand, &[SUBMIT], Duration::from_secs(1))[0])
        .collect();
    assert!((50..=60).contains(&seconds[0]), "{seconds:?}");
    assert!(seconds.is_sorted(), "{seconds:?}");
    assert!((95..=101).contains(&seconds[11]), "{seconds:?}");
}

#[test]
fn bursts_again_and_again_leave_a_sixteenth_of_the_rate() {
    let (pace, hand) = pace(1_000);
    leave(&pace, &hand, &[SUBMIT], Duration::from_secs(1));
    for _ in 0..20 {
        pace.refused(SUBMIT, &error(Some(0), Throttle::Burst));
        hand.turn(Duration::from_secs(1));
    }
    pace.refused(SUBMIT, &error(Some(0), Throttle::Burst));
    let left = leave(&pace, &hand, &[SUBMIT], Duration::from_millis(990))[0];
    assert!((5..=13).contains(&left), "{left}");
}

#[test]
fn a_wait_of_unsaid_length_doubles_while_it_does_not_help() {
    let (pace, hand) = pace(50);
    let mut waits = Vec::new();
    for _ in 0..8 {
        pace.refused(SUBMIT, &error(None, Throttle::Quota));
        // another request was under way: its refusal says nothing new
        pace.refused(POLL, &error(None, Throttle::Quota));
        let wait = pace.admit(POLL, &mut Passage::default()).unwrap();
        waits.push(wait.as_secs());
        hand.turn(wait + Duration::from_millis(10));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    hand.turn(Duration::from_mins(5));
    pace.refused(SUBMIT, &error(None, Throttle::Quota));
    let wait = pace.admit(POLL, &mut Passage::default()).unwrap();
    assert_eq!(wait.as_secs(), 1);
}

#[tokio::test]
async fn a_request_that_sleeps_for_its_pace_wakes_into_a_wait_and_sleeps_on() {
    let pace = Pace::new(Rates::within_limits(NonZeroU32::new(100).unwrap()));
    let started = Instant::now();
    // the burst of ten and one that has to wait for 10 ms
    for _ in 0..10 {
        pace.ready(SUBMIT).await;
    }
    let mut error = error(None, Throttle::Quota);
    let window = Duration::from_millis(40);
    error.class = ErrorClass::Throttled {
        after: Some(window),
        scope: Throttle::Quota,
    };
    let mut opened = started;
    tokio::join!(pace.ready(SUBMIT), async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        opened = Instant::now();
        pace.refused(SUBMIT, &error);
    });
    assert!(opened.elapsed() >= window);
}
