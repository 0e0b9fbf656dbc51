//! Medians over paired rounds.

/// The median of `values`; with an even number, the mean of the middle two. Zero for none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(middle)) => *middle,
        _ => 0.0,
    }
}

/// The median of the ratios of pairs that were measured side by side: what slowed down both in a round cancels out.
pub(crate) fn paired_ratio(ours: &[u64], theirs: &[u64]) -> f64 {
    median(
        ours.iter()
            .zip(theirs)
            .map(|(ours, theirs)| float(*ours) / float(*theirs))
            .collect(),
    )
}

/// The median of plain figures.
pub(crate) fn median_of(values: &[u64]) -> f64 {
    median(values.iter().copied().map(float).collect())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds of a few minutes fit a double exactly"
)]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn median_of_odd_even_and_no_values() {
        assert!(same(median(vec![3.0, 1.0, 2.0]), 2.0));
        assert!(same(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(same(median(vec![7.0]), 7.0));
        assert!(same(median(Vec::new()), 0.0));
    }

    #[test]
    fn pairs_are_divided_before_the_median_is_taken() {
        // The second round was ten times slower for both, the third disturbed only theirs.
        assert!(same(paired_ratio(&[10, 100, 10], &[20, 200, 90]), 0.5));
    }
}
