//! Where in the file the failures lie: one column for a run of tasks, one SVG path for each status.

use crate::ui::components::count;
use leptos::prelude::*;

/// Columns of the map at most; with more tasks than this a column stands for several.
const COLUMNS: usize = 100;
/// Height of a column; failed tasks are never less than `LEAST` of it.
const HEIGHT: usize = 280;
const LEAST: usize = 50;
/// From column to column, and how much of that is drawn.
const STEP: usize = 10;
const WIDTH: usize = 8;

/// Paths of the map, made from one letter a record (`A`, `F`, `Q`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Map {
    /// Tasks in a column.
    each: usize,
    /// Columns.
    columns: usize,
    accepted: String,
    queued: String,
    failed: String,
    /// Numbers of the first and the last failed task, and how many there are.
    failures: Option<(usize, usize, usize)>,
}

impl Map {
    fn new(letters: &str) -> Self {
        let letters = letters.as_bytes();
        let each = letters.len().div_ceil(COLUMNS).max(1);
        let mut map = Self { each, ..Self::default() };
        for (column, tasks) in letters.chunks(each).enumerate() {
            let count = |letter: u8| tasks.iter().filter(|task| **task == letter).count();
            let (accepted, failed) = (count(b'A'), count(b'F'));
            let x = column * STEP;
            let top = match failed {
                0 => 0,
                _ => (HEIGHT * failed / tasks.len()).max(LEAST),
            };
            // The last column may be short: what is not there stays empty.
            let full = HEIGHT * tasks.len() / each;
            let base = HEIGHT - full;
            let top = top.min(full);
            let rest = full - top;
            let others = tasks.len() - failed;
            let green = (rest * accepted).checked_div(others).unwrap_or(0);
            bar(&mut map.failed, x, base, top);
            bar(&mut map.queued, x, base + top, rest - green);
            bar(&mut map.accepted, x, HEIGHT - green, green);
            map.columns = column + 1;
        }
        let failed = || letters.iter().enumerate().filter(|(_, letter)| **letter == b'F').map(|(at, _)| at + 1);
        map.failures = failed().next().zip(failed().next_back()).map(|(first, last)| (first, last, failed().count()));
        map
    }

    fn sentence(&self) -> String {
        match self.failures {
            None => "No task failed".to_owned(),
            Some((only, _, 1)) => format!("One task failed, number {only}"),
            Some((first, last, count)) => format!("{count} tasks failed, between number {first} and {last}"),
        }
    }
}

fn bar(path: &mut String, x: usize, y: usize, height: usize) {
    if height > 0 {
        path.push_str(&format!("M{x} {y}h{WIDTH}v{height}h-{WIDTH}z"));
    }
}

/// The row map; nothing when there are no letters.
#[component]
pub fn RowMap(
    /// One letter a record in file order.
    letters: String,
) -> impl IntoView {
    if letters.is_empty() {
        return ().into_any();
    }
    let last = letters.len();
    let map = Map::new(&letters);
    let sentence = map.sentence();
    let legend = if map.each == 1 {
        "each column is one task; red is a failed one".to_owned()
    } else {
        format!("each column is {} tasks; a mark at the top is a failed one", map.each)
    };
    let view_box = format!("0 0 {} {HEIGHT}", map.columns * STEP - (STEP - WIDTH));
    view! {
        <figure class="card-body stack" data-gap="8">
            <figcaption class="row small">
                <b>"Where in the file"</b>
                <span class="dim">{legend}</span>
            </figcaption>
            <svg
                class="chart rowmap"
                viewBox=view_box
                height="28"
                preserveAspectRatio="none"
                role="img"
                aria-label=sentence
            >
                <path class="seg-accepted" d=map.accepted></path>
                <path class="map-queued" d=map.queued></path>
                <path class="map-failed" d=map.failed></path>
            </svg>
            <div class="axis" aria-hidden="true">
                <span>"task 1"</span>
                <span>"task "{count(u64::try_from(last).unwrap_or(u64::MAX))}</span>
            </div>
        </figure>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_in_a_large_file_is_still_seen() {
        let mut letters = "A".repeat(2_000);
        letters.replace_range(730..731, "F");
        let map = Map::new(&letters);
        assert_eq!((map.each, map.columns), (20, 100));
        assert_eq!(map.failed, "M360 0h8v50h-8z");
        assert_eq!(map.failures, Some((731, 731, 1)));
        assert!(map.accepted.contains("M360 50h8v230h-8z"), "{}", map.accepted);
        assert_eq!(map.queued, "");
    }

    #[test]
    fn small_files_have_a_column_for_each_task() {
        let map = Map::new("AFQ");
        assert_eq!((map.each, map.columns), (1, 3));
        assert_eq!(map.accepted, "M0 0h8v280h-8z");
        assert_eq!(map.failed, "M10 0h8v280h-8z");
        assert_eq!(map.queued, "M20 0h8v280h-8z");
    }

    #[test]
    fn heights_of_a_column_add_up() {
        for letters in ["AFQQQAAFFF".repeat(100), "FQA".repeat(67), "QF".repeat(101)] {
            let map = Map::new(&letters);
            let heights = |path: &str| -> usize {
                path.split('v').skip(1).filter_map(|part| part.split('h').next()?.parse::<usize>().ok()).sum()
            };
            let drawn = heights(&map.accepted) + heights(&map.queued) + heights(&map.failed);
            let short = letters.len() % map.each;
            let full = letters.len() / map.each * HEIGHT + if short > 0 { HEIGHT * short / map.each } else { 0 };
            assert_eq!(drawn, full);
        }
    }
}
