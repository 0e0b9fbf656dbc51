//! The claims of two versions of this crate in one program, of which the second one is the same file once more.

use super::only_one::OnlyOne;
use crate::Errno;

#[expect(
    clippy::duplicate_mod,
    reason = "what two versions of the crate would be"
)]
#[path = "only_one.rs"]
mod other_version;

/// Far above what the kernel gives out in a test run.
const ID: u32 = u32::MAX;

#[test]
fn a_map_has_one_reader() {
    let first = OnlyOne::claim(ID).unwrap();
    assert_eq!(OnlyOne::claim(ID).unwrap_err(), Errno::EBUSY);
    OnlyOne::claim(ID - 1).unwrap();
    drop(first);
    OnlyOne::claim(ID).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "Miri runs no linker, which makes one list of two")]
fn a_map_has_one_reader_across_versions() {
    const ID: u32 = self::ID - 2;
    let first = OnlyOne::claim(ID).unwrap();
    let refused = other_version::OnlyOne::claim(ID).unwrap_err();
    assert_eq!(refused, Errno::EBUSY);
    drop(first);
    let second = other_version::OnlyOne::claim(ID).unwrap();
    assert_eq!(OnlyOne::claim(ID).unwrap_err(), Errno::EBUSY);
    drop(second);
    OnlyOne::claim(ID).unwrap();
}

#[test]
fn of_many_who_claim_at_once_one_succeeds() {
    const ID: u32 = self::ID - 3;
    for _ in 0..if cfg!(miri) { 3 } else { 20 } {
        let claims: Vec<_> = std::thread::scope(|scope| {
            let claim = || scope.spawn(|| OnlyOne::claim(ID));
            let threads: Vec<_> = std::iter::repeat_with(claim).take(4).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1);
    }
}
