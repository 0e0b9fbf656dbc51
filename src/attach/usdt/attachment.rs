//! What a USDT attachment owns.

use super::specs::HeldSpecs;
use crate::Result;
use crate::attach::attachment::Attachment;
use crate::attach::link::Link;

/// Uprobes, and the specs by which their program finds its arguments.
#[derive(Debug)]
pub(super) struct Probes {
    pub(super) links: Vec<Link>,
    pub(super) specs: HeldSpecs,
}

impl Attachment for Probes {
    fn undo(&mut self) -> Result<()> {
        // The probes come first: they can be hit until they are gone, and need their specs until then.
        let detached: Vec<_> = self.links.drain(..).map(Link::detach).collect();
        self.specs.give_back();
        detached.into_iter().collect()
    }

    fn why_no_link(&self) -> &'static str {
        "a USDT probe needs this process, which keeps where the arguments are"
    }
}
