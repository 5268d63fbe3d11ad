namespace Rcmp.Hosts.Bench.Plots;

internal readonly record struct ChartPoint(double X, double Y);

/// <summary>A line of a chart, or one colour of its bars.</summary>
/// <param name="Name">As the legend has it.</param>
/// <param name="Points">With bars, X is the group's number.</param>
/// <param name="Color">Lines that belong together have one.</param>
/// <param name="Pale">Tells lines of one colour apart.</param>
internal sealed record ChartSeries(string Name, IReadOnlyList<ChartPoint> Points, int Color, bool Pale = false);

/// <param name="Label">What is shown, without the unit if <paramref name="Format"/> writes it.</param>
/// <param name="Format">A value as the ticks show it.</param>
/// <param name="Logarithmic">Values of 0 and below are left out.</param>
/// <param name="Ticks">Where the ticks are, if not at round values.</param>
internal sealed record ChartAxis(string Label, Func<double, string> Format, bool Logarithmic = false, IReadOnlyList<double>? Ticks = null)
{
    public double Place(double value) => Logarithmic ? Math.Log10(value) : value;

    public bool Shows(double value) => double.IsFinite(value) && (!Logarithmic || value > 0);
}

/// <summary>What a plot shows, whatever draws it.</summary>
internal sealed record Chart
{
    /// <summary>Its file's name, without the ending.</summary>
    public required string Name { get; init; }

    public required string Title { get; init; }

    public required ChartAxis X { get; init; }

    public required ChartAxis Y { get; init; }

    public required IReadOnlyList<ChartSeries> Series { get; init; }

    /// <summary>The names of the groups of bars; null: lines.</summary>
    public IReadOnlyList<string>? Groups { get; init; }

    /// <summary>Where on the X axis something happened.</summary>
    public IReadOnlyList<double> Marks { get; init; } = [];

    /// <summary>What happened there, as the legend has it.</summary>
    public string MarksName { get; init; } = "";
}
