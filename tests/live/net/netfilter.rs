//! Netfilter's hooks.

use super::{Wire, in_network, load_only, number};
use crate::matrix::{unless_refused, works};
use crate::support::Need;
use rawbpf::attach::{Netfilter, NetfilterFamily, NetfilterHook};
use rawbpf::load::Object;
use rawbpf::{Errno, LinkType};

fn answering(keep: u32) -> rawbpf::Result<Object> {
    load_only("sockets", &["pass_or_drop"], |object| {
        object.variable_mut("keep")?.set(&keep)
    })
}

#[test]
fn packets_on_their_way_in_are_dropped() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let drops = answering(0);
        let Some(drops) = unless_refused("netfilter", drops, &[Need::Linux(6, 4)], "6.4") else {
            return;
        };
        let passes = answering(1).unwrap();
        let [dropper, passer] =
            [&drops, &passes].map(|object| object.program("pass_or_drop").unwrap());
        let at = Netfilter::new(NetfilterFamily::Ipv4, NetfilterHook::LocalIn).priority(-10);
        let wire = Wire::new();
        let link = dropper.attach_netfilter(&at).unwrap();
        works(
            "netfilter",
            "packets are dropped",
            wire.drops(|| number(&drops, "runs")),
        );
        assert_eq!(link.info().unwrap().kind, LinkType::NETFILTER);
        let error = passer.attach_netfilter(&at).unwrap_err();
        assert!(
            error.hint().unwrap().contains("has this priority"),
            "{error}"
        );
        link.detach().unwrap();
        let _link = passer.attach_netfilter(&at).unwrap();
        assert!(wire.passes());
        assert!(number(&passes, "runs") > 0);
    });
}

#[test]
fn what_no_hook_can_be_is_refused_in_words() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        const ROW: &str = "netfilter defragment";
        let object = answering(1);
        let Some(object) = unless_refused(ROW, object, &[Need::Linux(6, 4)], "6.4") else {
            return;
        };
        let program = object.program("pass_or_drop").unwrap();
        let at = Netfilter::new(NetfilterFamily::Ipv6, NetfilterHook::Prerouting);
        let error = program
            .attach_netfilter(&at.priority(i32::MIN))
            .unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ERANGE), "{error}");
        assert!(
            error.hint().unwrap().contains("least and the greatest"),
            "{error}"
        );
        let whole = at.defragment();
        let link = program.attach_netfilter(&whole);
        let since = [Need::Linux(6, 6)];
        let Some(_link) = unless_refused(ROW, link, &since, "needs Linux 6.6") else {
            return;
        };
        let early = program.attach_netfilter(&whole.priority(-500)).unwrap_err();
        assert!(early.hint().unwrap().contains("priority -400"), "{early}");
        works(ROW, "the kernel accepts it", true);
    });
}
