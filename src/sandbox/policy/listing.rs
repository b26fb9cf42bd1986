//! All knobs as text, with their values in each preset.

use super::knobs::{GROUPS, Preset};
use std::fmt::Write as _;
use toml::{Table, Value};

/// Widths of the columns.
const NAME: usize = 22;
const VALUE: usize = 14;

/// Every knob with its value in each preset and what it does, for people.
#[must_use]
pub fn listing() -> String {
    let presets = Preset::ALL.map(|preset| (preset.name(), values(preset)));
    let mut text = format!("{:NAME$}", "knob");
    for (name, _) in &presets {
        let _ = write!(text, " {name:VALUE$}");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    for (group, knobs) in GROUPS {
        let _ = writeln!(text, "\n{group}");
        for knob in *knobs {
            let cells = presets
                .each_ref()
                .map(|(_, values)| shown(values.get(knob.name)));
            let _ = write!(text, "{:NAME$}", knob.name);
            if cells.iter().all(|cell| *cell == cells[0]) {
                let _ = write!(text, " {}", cells[0]);
            } else {
                for cell in &cells {
                    let _ = write!(text, " {cell:VALUE$}");
                }
                text.truncate(text.trim_end().len());
            }
            let _ = writeln!(text, "\n    {}", knob.doc.trim());
        }
    }
    text.push_str(
        "\nOne value: the same in each preset. A policy file holds knobs as TOML (key = value), and may start \
         with preset = \"NAME\".\n",
    );
    text
}

/// The knobs of a preset, as a policy file would hold them.
fn values(preset: Preset) -> Table {
    Table::try_from(preset.policy()).unwrap_or_default()
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(word)) => word.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    #[expect(clippy::too_many_lines, reason = "there are that many knobs")]
    fn every_knob_is_listed_with_its_value_in_each_preset() {
        assert_snapshot!(listing(), @r#"
        knob                   documented     live-2026      hostile

        chance and time
        random_seed            0
            What all chance starts from: the same seed gives the same fate to the same rows, tasks and requests.
        time_scale             1
            How many times as fast as everybody else's the site's clock runs.

        tasks
        max_tasks              5
            Unfinished tasks a site allows; one more is refused.
        workers                5              1              3
            Tasks worked at the same time, at least one.
        item_micros            200            4800000        200
            Microseconds of work for each item of a task.
        task_micros            20000          0              50000
            Microseconds of work for each task, whatever its size.
        task_timeout_ms        1800000
            Milliseconds after which an unfinished task no longer takes a slot.
        timed_out              goes-on        failed-goes-on failed-stops
            What becomes of it: `goes-on`, `failed-goes-on` (though it writes) or `failed-stops`.
        result_ttl_ms          259200000
            Milliseconds for which a finished task and its idempotency key are remembered.
        task_order             fifo           fifo           random
            Which waiting task is worked next: `fifo` or `random`.
        shuffle_items          false          false          true
            Whether the items of a task are worked in another order than they were sent in.
        submit_status          202
            Status of an accepted bulk request: 200 or 202; which one is not documented.
        key_conflict_status    400
            Status for a known idempotency key with another body: 400, 409 or 422; which one is not documented.

        what tasks tell
        failed_applied         0.0            0.02           0.04
            Share of tasks that end FAILED though everything was written.
        failed_partly          0.0            0.0            0.04
            Share of tasks that end FAILED with only some of their items written.
        failed_nothing         0.0            0.0            0.03
            Share of tasks that end FAILED with nothing written.
        failed_shows           none           none           some
            Which of its failures a FAILED task shows: `none`, `some` or `all`.
        finished_shows         all
            Which of its failures a FINISHED task shows: `none`, `some` or `all`.
        failure_names          as-sent        as-sent        mixed
            How a failure names its record: `as-sent`, `id`, `key`, `field` (only the detail field), `none` or `mixed`.
        vanished_tasks         0.0            0.0            0.02
            Share of tasks that vanish: looking at them is answered 404, and their items are written all the same.
        vanish_after_ms        0              0              20
            Milliseconds after its submission when such a task vanishes.

        rows
        poison                 0.0            0.0            0.03
            Share of records and detail fields that the site refuses, in bulk and alone; by seed and natural key only.
        poison_words           Invalid detail field value
            The words it refuses them with.
        one_bad_item           fails-alone
            What an item that cannot be written does to its bulk request: `fails-alone` or `refuses-request` (400).
        ignored_associations   0.0            0.0            0.05
            Share of records whose associations silently do nothing; by natural key.
        associations_there     stays
            What becomes of a customer's organizations when its profile names others: `stays` or `goes`.
        values_there           goes
            What becomes of several values of a field with UPDATE: `stays` or `goes`; without new values they go.

        what is seen when
        read_lag_ms            0              0              1000
            Milliseconds after which what was written can be read.
        user_search_lag_ms     0              180000         5000
            Milliseconds after which a new account is found by the user search.
        single_call_ms         0              300            0
            Milliseconds that an answer takes, other than one about bulk requests and tasks.
        bulk_call_ms           0
            Milliseconds that an answer about bulk requests and tasks takes.

        throttling
        requests_per_second    0              50             200
            Requests a second that the site answers, over all endpoints; 0 for any number.
        burst_429              0.0            0.0            0.01
            Share of requests that are told 429 because of a burst: their endpoint rests.
        burst_window_ms        1000
            Milliseconds an endpoint rests; whole seconds of the caller where `Retry-After` tells them.
        quota_429              0.0            0.0            0.002
            Share of requests that are told 429 because of a quota: the whole site rests.
        quota_window_ms        60000          60000          2000
            Milliseconds the site rests; whole seconds of the caller where they are told.
        throttle_style         full           full           mixed
            What a 429 says: `full`, `no-retry-after`, `reset-past`, `reset-minutes`, `gateway` or `mixed`.

        answers that are none
        json_500               0.0            0.0            0.015
            Share of requests answered 500 with JSON; nothing was applied.
        html_502               0.0            0.0            0.015
            Share of requests answered 502 with HTML by the edge; nothing was applied.
        unavailable_503        0.0            0.0            0.005
            Share of requests answered 503 with `Retry-After`: their endpoint rests as after a burst.
        applied_504            0.0            0.0            0.015
            Share of requests answered 504 though they were applied.
        html_400               0.0            0.0            0.005
            Share of requests answered 400 with HTML by the edge; nothing was applied.
        login_page             0.0            0.0            0.005
            Share of requests answered 200 with a login page; nothing was applied.
        precondition_412       0.0            0.0            0.002
            Share of requests answered 412 as if the opt-in was missing (bulk requests and tasks).
        key_conflicts          0.0            0.0            0.02
            Share of repeated bulk requests told that their key is known with another body, though it is the same.
        vanished_polls         0.0            0.0            0.005
            Share of looks at a task that are answered 404 though it is there.

        connections
        dropped_before         0.0            0.0            0.015
            Share of requests whose connection ends before anything was applied.
        dropped_after          0.0            0.0            0.015
            Share of requests whose connection ends after they were applied: the answer is lost.
        truncated_json         0.0            0.0            0.01
            Share of requests that were applied and whose answer breaks off in the middle of its JSON.
        slow_answers           0.0            0.0            0.01
            Share of requests whose answer comes late.
        slow_answer_ms         5000           5000           500
            Milliseconds by which it is late.
        slow_bodies            0.0            0.0            0.01
            Share of requests whose answer's body comes a few bytes at a time.
        slow_body_ms           5000           5000           500
            Milliseconds over which it comes.

        who is let in
        require_experimental   false
            Whether bulk and task calls without `X-ExperimentalApi: opt-in` are refused with 412.
        authorization          none
            The only `Authorization` header that is let in, as sent; without one, any Basic or Bearer is.

        One value: the same in each preset. A policy file holds knobs as TOML (key = value), and may start with preset = "NAME".
        "#);
    }
}
