"""From a design to rows: arms of several runs, the gate, controls, schedules, versions."""
