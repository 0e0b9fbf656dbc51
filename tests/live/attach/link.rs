//! What all attachments can do: be pinned, opened, told apart, let go.

use super::{Counter, alone};
use crate::support::{Need, PinFolder};
use rawbpf::attach::Link;
use std::time::{Duration, Instant};

#[test]
fn a_pinned_link_outlives_its_handle() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let _alone = alone();
    let pins = PinFolder::new();
    let path = pins.path().join("link");
    let counter = Counter::raw_tracepoint();
    let mut link = counter.attach().unwrap();
    link.pin(&path).unwrap();
    assert!(link.pin(&path).is_err(), "one pin a link");
    drop(link);
    assert_eq!(counter.seen_of_seven(), 7);
    let mut link = Link::from_pin(&path).unwrap();
    assert_eq!(
        (link.name(), link.pin_path()),
        ("link", Some(path.as_path()))
    );
    link.unpin().unwrap();
    assert!(!path.exists());
    assert_eq!(counter.seen_of_seven(), 7);
    drop(link);
    // The file that was the pin holds the link until the kernel has swept it away.
    let deadline = Instant::now() + Duration::from_secs(10);
    while counter.seen_of_seven() != 0 {
        assert!(Instant::now() < deadline, "it is still attached");
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = Link::from_pin(&path).unwrap_err();
    assert!(error.to_string().contains("link"), "{error}");
}
