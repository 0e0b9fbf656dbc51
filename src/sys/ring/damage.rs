//! What can be wrong with memory written by somebody else.

use std::fmt;

/// An inconsistency in a buffer's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingDamage {
    /// The consumer's position is not where a record can begin.
    Misaligned {
        /// The position.
        position: u64,
    },
    /// There is more between the two positions than the ring can hold.
    Overfull {
        /// The consumer's position.
        position: u64,
        /// The producer's position.
        producer: u64,
        /// Size of the buffer, in bytes.
        size: u64,
    },
    /// A record claims to be longer than the rest of the data.
    RecordTooLong {
        /// Where the record begins.
        position: u64,
        /// How long it claims to be.
        len: u64,
        /// How many bytes there are up to the producer's position.
        left: u64,
    },
    /// A record is too short for what it claims to contain.
    RecordTooShort {
        /// Where the record begins.
        position: u64,
        /// How long it is.
        len: u64,
        /// How long it has to be.
        wanted: u64,
    },
}

impl fmt::Display for RingDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misaligned { position } => {
                write!(
                    f,
                    "the consumer's position {position} is not a multiple of 8"
                )
            }
            Self::Overfull {
                position,
                producer,
                size,
            } => write!(
                f,
                "the consumer's position is {position} and the producer's {producer}, though the buffer has only {size} bytes"
            ),
            Self::RecordTooLong {
                position,
                len,
                left,
            } => write!(
                f,
                "the record at position {position} claims {len} bytes, but only {left} follow"
            ),
            Self::RecordTooShort {
                position,
                len,
                wanted,
            } => write!(
                f,
                "the record at position {position} has {len} bytes, but what it holds takes {wanted}"
            ),
        }
    }
}
