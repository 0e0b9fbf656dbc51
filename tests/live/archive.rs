//! Zip archives for tests, here and beside the code.

/// An archive of members that are stored as they are.
pub(crate) fn zip(members: &[(&str, &[u8])], comment: &[u8]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    let u16 = |n: usize| u16::try_from(n).unwrap().to_le_bytes();
    let u32 = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    for (name, data) in members {
        let [len, name_len] = [data.len(), name.len()];
        let sizes = [[0; 12].as_slice(), &u32(len), &u32(len)].concat();
        directory.extend([b"PK\x01\x02\x14\0\x14\0", &sizes[..]].concat());
        directory.extend(
            [
                &u16(name_len)[..],
                &[0; 12],
                &u32(bytes.len()),
                name.as_bytes(),
            ]
            .concat(),
        );
        bytes.extend([b"PK\x03\x04\x14\0", &sizes[..]].concat());
        bytes.extend([&u16(name_len)[..], &u16(3), name.as_bytes(), b"..."].concat());
        bytes.extend(*data);
    }
    let start = bytes.len();
    bytes.extend(&directory);
    let count = u16(members.len());
    bytes.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count].concat());
    bytes.extend(
        [
            &u32(directory.len())[..],
            &u32(start),
            &u16(comment.len()),
            comment,
        ]
        .concat(),
    );
    bytes
}
