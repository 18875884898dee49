//! Many attaches at once, and a cloud that answers 429.

use std::time::Duration;

use oci_sim::Throttle;
use testbed::{FaultRow, Storm};

use crate::support::binary;

/// `cargo xtask storm` does the same in a larger cloud, and shows it.
#[test]
fn two_hundred_attaches_at_once_all_arrive_with_three_requests_each() {
    let mut row = FaultRow::new("A21", "200 attaches at once, 100 requests a second");
    let storm = Storm {
        attaches: 200,
        instances: 300,
        volumes: 300,
        attach_delay: Duration::from_secs(2),
        throttle: Throttle { per_second: 100, burst: 100, retry_after: None },
    };
    let aftermath = storm.run(&binary()).unwrap();
    let arrived = aftermath.answers.iter().filter(|it| it.is_success()).count();
    let most = aftermath.costs.iter().map(|it| it.requests).max();
    let refused: usize = aftermath.costs.iter().map(|it| it.refused).sum();
    row.saw(
        &format!("{arrived} of 200 arrived in one call each"),
        &format!(
            "{refused} of {} requests were answered by 429; beside its looks at the attachment no \
             attach needed more than {} answers",
            aftermath.requests.len(),
            most.unwrap_or_default(),
        ),
    );
    let failed = aftermath.answers.iter().find(|it| !it.is_success());
    assert!(failed.is_none(), "{failed:?}");
    assert_eq!((aftermath.attached, most), (200, Some(3)));
    assert!(refused > 0, "the storm was none");
}
