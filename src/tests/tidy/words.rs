//! One word for one thing, the field's own: the glossary is in `src/README.md`.

use super::tokens::Token;

/// Names that gave way to terms of the glossary, and the term.
const NAMES: &[(&str, &str)] = &[
    ("Answer", "HttpResponse, TaskReply or what it is"),
    ("Arena", "GatewayMatrix"),
    ("Asked", "a noun: request, outcome"),
    ("Attendance", "WorkerShare"),
    ("Bench", "a harness, or a form"),
    ("Chosen", "a noun: selection"),
    ("Desk", "Routers, SheetEditor, TestApp"),
    ("Eye", "a presenter"),
    ("Kept", "a noun: row, state"),
    ("Looked", "Lookup, Preview"),
    ("Moment", "DisplayTime, or a failpoint"),
    ("News", "Notice"),
    ("NewsKind", "NoticeKind"),
    ("Night", "NightlyRun"),
    ("Nights", "NightlySchedule"),
    ("Sent", "a noun: outcome, reply"),
    ("Stamp", "StatusBadge"),
    ("Story", "TaskHistory"),
    ("StoryStep", "HistoryEvent"),
    ("Strip", "ProgressBar"),
    ("TaskStory", "TaskHistory"),
    ("Teller", "ExternalSystem, or a presenter"),
    ("Throttle", "RateLimiter"),
    ("Told", "Delivery, or an event"),
    ("Visit", "RequestContext"),
    ("World", "TestState, Deployment, SystemState"),
    ("ANSWER", "RESPONSE_TIMEOUT"),
    ("APART", "MIN_INTERVAL"),
    ("BRISK", "FAST_CALL"),
    ("COMPANY", "LINGER"),
    ("CROWD", "LINGER_FACTOR_MAX"),
    ("FENCE", "SEND_DEADLINE"),
    ("LASTS", "HEARTBEAT_TTL"),
    ("LONGEST", "UPLOAD_TIMEOUT, MAX_LENGTH"),
    ("LOOK", "REFRESH_INTERVAL"),
    ("PATIENCE", "MAX_WAIT"),
    ("SLICE", "TIME_SLICE"),
    ("arena", "matrix"),
    ("bench", "harness, upload"),
    ("desk", "app, editor, routers; the schema is batchdesk"),
    ("fault!", "failpoint!"),
    ("look_at", "resolve_task"),
    ("name_the_caller", "authenticate"),
    ("story", "history"),
    ("teller", "presenter"),
    ("world", "test, deployment"),
];

/// Functions and modules that had a participle or a metaphor for a name.
const DEFINED: &[(&str, &str)] = &[
    ("answer", "respond, or a noun"),
    ("attend", "heartbeat"),
    ("company", "linger"),
    ("heed", "apply_retry_after"),
    ("moment", "display_time, or a failpoint"),
    ("shown", "present_*, views"),
    ("tell", "deliver, publish"),
    ("told", "events, notices"),
    ("words", "labels"),
];

/// What comments and text of the interface do not say.
const PHRASES: &[(&str, &str)] = &[("machine interface", "HTTP API"), ("machine answer", "API response")];

/// Old words of one file: in its path, its code and its text.
pub(super) fn old(file: &str, source: &str, tokens: &[Token]) -> Vec<(usize, String)> {
    let instead = |word: &str, term: &str| format!("“{word}” is not of the glossary: {term}");
    let mut found = Vec::new();
    for part in file.trim_end_matches(".rs").split('/') {
        for (word, term) in NAMES.iter().chain(DEFINED) {
            if part == *word {
                found.push((1, instead(word, term)));
            }
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        let after = [at + 1, at + 2].map(|at| tokens.get(at).map_or("", |token| token.text.as_str()));
        let before = at.checked_sub(1).and_then(|before| tokens.get(before)).map_or("", |token| token.text.as_str());
        let named = NAMES.iter().filter(|(word, _)| match word.strip_suffix('!') {
            Some(name) => token.text == name && after == ["!", "("],
            None => token.text == *word,
        });
        let defined = DEFINED.iter().filter(|(word, _)| token.text == *word && matches!(before, "fn" | "mod"));
        found.extend(named.chain(defined).map(|(word, term)| (token.line, instead(word, term))));
    }
    for (line, text) in source.lines().enumerate() {
        found.extend(
            PHRASES.iter().filter(|(word, _)| text.contains(word)).map(|(word, term)| (line + 1, instead(word, term))),
        );
    }
    found
}
