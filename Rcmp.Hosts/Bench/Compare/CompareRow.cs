using System.Text.Json.Serialization;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>One comparison: the pool against something measured in the same run. Medians of the rounds.</summary>
internal sealed record CompareRow
{
    public required string What { get; init; }

    public required string Against { get; init; }

    /// <summary>Of both values: <c>ns</c>, <c>1/s</c> or <c>B/s</c>.</summary>
    public string Unit { get; init; } = "ns";

    public double Measured { get; init; }

    public double Baseline { get; init; }

    /// <summary>How <see cref="Ratio"/> is to be read: a cost in units of the baseline's, or how many times better the pool is.</summary>
    public RatioKind Kind { get; init; }

    /// <summary>The ratio that the product holds; falling behind it fails the run. None: reported only.</summary>
    public double? Floor { get; init; }

    public double? Aim { get; init; }

    /// <summary>Held against limits instead of something else: <see cref="Floor"/> and <see cref="Aim"/> are values, not ratios. A value above them is told, but does not fail the run.</summary>
    public bool Reported { get; init; }

    /// <summary>Why there is no measurement.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Skipped { get; init; }

    public double Ratio => Measured == 0 || Baseline == 0 ? 0 : Math.Round(MoreIsBetter == (Kind == RatioKind.Cost) ? Baseline / Measured : Measured / Baseline, 3);

    public bool Met => Skipped is not null || Floor is not { } floor || (Kind == RatioKind.Cost ? Held <= floor : Held >= floor);

    [JsonIgnore]
    public bool FailsRun => !Met && !Reported;

    private double Held => Reported ? Measured : Ratio;

    // A cost ratio of rates, and a speed-up of times, put the baseline above.
    private bool MoreIsBetter => Unit != "ns";

    /// <summary>A time in nanoseconds that is held against a limit.</summary>
    public static CompareRow Limited(string what, double measured, TimeSpan limit, TimeSpan aim) =>
        new() { What = what, Against = "limit", Measured = measured, Floor = limit.TotalNanoseconds, Aim = aim.TotalNanoseconds, Reported = true };
}

[JsonConverter(typeof(JsonStringEnumConverter<RatioKind>))]
internal enum RatioKind
{
    /// <summary>Lower is better; 1 is as good as the baseline.</summary>
    Cost,

    /// <summary>Higher is better; 1 is as good as the baseline.</summary>
    SpeedUp,
}
