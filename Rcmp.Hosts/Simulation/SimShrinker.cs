namespace Rcmp.Hosts.Simulation;

/// <summary>Makes the schedule of a seed that breaks a rule as short as it gets: choices are taken back in ever smaller portions as long as a rule is still broken (delta debugging).</summary>
internal static class SimShrinker
{
    /// <summary>Some half a minute. A number and no time: the same seed prints the same, however busy the machine is.</summary>
    public const int RunsMax = 10_000;

    /// <summary>The shortest schedule found in so many runs, run once more with its trace.</summary>
    public static SimResult Shrink(SimOptions options, int runsMax = RunsMax)
    {
        var runs = 0;
        var shortest = SimResult.Of(options);
        if (shortest.Violation is null) throw new ArgumentException($"Seed {options.Seed} breaks no rule.", nameof(options));
        var choices = ChoicesOf(shortest);
        for (var portion = (choices.Count + 1) / 2; portion > 0 && runs < runsMax; portion = portion == 1 ? 0 : (portion + 1) / 2)
        {
            var removed = true;
            while (removed && runs < runsMax)
            {
                removed = false;
                for (var from = choices.Count - portion; from > -portion && choices.Count > 0 && runs < runsMax; from -= portion)
                {
                    var first = int.Max(from, 0);
                    var count = int.Min(from + portion, choices.Count) - first;
                    if (count <= 0) continue;
                    var fewer = choices.Take(first).Concat(choices.Skip(first + count)).ToList();
                    runs++;
                    var result = SimResult.Of(options, new SimSchedule(fewer.ToHashSet()));
                    if (result.Violation is null) continue;
                    // What was allowed and not chosen any more is gone too.
                    choices = ChoicesOf(result);
                    removed = true;
                }
            }
        }

        return SimResult.Of(options with { Trace = true }, new SimSchedule(choices.ToHashSet()));
    }

    private static List<SimChoice> ChoicesOf(SimResult result) => [.. result.Schedule.Made.Select(m => m.Choice)];
}
