//! Instructions in hex, as both loaders print them, without what differs between runs.

/// Hex digits in an instruction.
const DIGITS: usize = 16;
/// `BPF_LD | BPF_IMM | BPF_DW`: the first half of the only instruction with two halves.
const LOAD_IMM64: &str = "18";
/// Where an instruction's immediate starts, in digits.
const IMMEDIATE: usize = 8;
const NO_IMMEDIATE: &str = "00000000";

/// Zeroes the immediates that hold file descriptors. (An object may contain such an instruction ready made, with any number
/// in it, so this is done to both sides.)
pub(super) fn without_descriptors(insns: &str) -> String {
    let mut text = String::with_capacity(insns.len());
    let mut rest = insns;
    while let Some((first, tail)) = rest.split_at_checked(DIGITS) {
        let second = tail
            .split_at_checked(DIGITS)
            .filter(|_| first.starts_with(LOAD_IMM64));
        let (Some((second, tail)), Some((head, _))) = (second, first.split_at_checked(IMMEDIATE))
        else {
            text.push_str(first);
            rest = tail;
            continue;
        };
        // The upper half of the register byte says what the immediates mean.
        let source = first.as_bytes().get(2);
        text.push_str(head);
        text.push_str(match source {
            // `BPF_PSEUDO_MAP_FD` and `BPF_PSEUDO_MAP_VALUE`: the first immediate is a map's descriptor.
            Some(b'1' | b'2') => NO_IMMEDIATE,
            _ => first.get(IMMEDIATE..).unwrap_or_default(),
        });
        text.push_str(second.get(..IMMEDIATE).unwrap_or_default());
        text.push_str(match source {
            // `BPF_PSEUDO_BTF_ID`: the second immediate is a BTF's descriptor.
            Some(b'3') => NO_IMMEDIATE,
            _ => second.get(IMMEDIATE..).unwrap_or_default(),
        });
        rest = tail;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_masked_and_nothing_else() {
        let before = [
            "1811000007000000",
            "0000000009000000",
            // The second half of a plain constant looks like a map reference, and must stay.
            "1802000007000000",
            "1811000009000000",
            "1831000007000000",
            "0000000009000000",
            "9500000000000000",
        ];
        let mut after = before;
        after[0] = "1811000000000000";
        after[5] = "0000000000000000";
        assert_eq!(without_descriptors(&before.concat()), after.concat());
        assert_eq!(without_descriptors("1811"), "1811");
    }
}
