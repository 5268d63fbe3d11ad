using ScottPlot;
using ScottPlot.TickGenerators;
using SkiaSharp;

namespace Rcmp.Hosts.Bench.Plots;

/// <summary>Draws a chart with ScottPlot, which knows no logarithmic axes: values are placed by their logarithms, and the ticks say what they were.</summary>
internal static class ChartDrawing
{
    private const float LineWidth = 2;
    private const float MarkerSize = 7;
    private const double PaleBy = 0.4;
    private const int LinearTicks = 6;
    private const int DecadesWithLabelsBetween = 3;
    private const double NarrowBelow = 5;
    private const double NearWithin = 1.5;

    // What there is room for in a plot of 1000 pixels.
    private const int BarsWithLabels = 16;
    private const int LettersInARow = 90;
    private const int PixelsPerLetter = 6;
    private const float LabelFromEdge = 6;

    // The serif that Linux machines often offer first is hard to read in small sizes.
    private static readonly string[] Fonts = ["Open Sans", "DejaVu Sans", "Noto Sans", "Liberation Sans", "Arial", "Helvetica"];

    private static readonly IPalette Palette = new ScottPlot.Palettes.Category10();

    public static Plot Draw(Chart chart)
    {
        var plot = new Plot();
        plot.Title(chart.Title, 16);
        plot.XLabel(chart.X.Label);
        plot.YLabel(chart.Y.Label);
        if (chart.Groups is { } groups) AddBars(plot, chart, groups);
        else AddLines(plot, chart);
        plot.Axes.Left.TickGenerator = Ticks(chart.Y, ValuesOf(chart, p => p.Y, chart.Y));
        // Else the upper half of the letters is outside of the picture.
        plot.Axes.Left.Label.OffsetX = LabelFromEdge;
        plot.ShowLegend(Edge.Right);
        var installed = SKFontManager.Default.FontFamilies.ToHashSet();
        if (Fonts.FirstOrDefault(installed.Contains) is { } font)
        {
            plot.Font.Set(font);
            plot.Legend.FontName = font;
        }
        return plot;
    }

    private static void AddLines(Plot plot, Chart chart)
    {
        foreach (var mark in chart.Marks)
        {
            // No dashes anywhere: the SVG writer does not know them, and says so on standard error.
            var line = plot.Add.VerticalLine(chart.X.Place(mark), LineWidth, Colors.DarkGray);
            if (mark == chart.Marks[0]) line.LegendText = chart.MarksName;
        }
        foreach (var series in chart.Series)
        {
            var points = series.Points.Where(p => chart.X.Shows(p.X) && chart.Y.Shows(p.Y)).OrderBy(p => p.X).ToList();
            var scatter = plot.Add.Scatter(points.Select(p => chart.X.Place(p.X)).ToArray(), points.Select(p => chart.Y.Place(p.Y)).ToArray(), ColorOf(series));
            scatter.LegendText = series.Name;
            scatter.LineWidth = LineWidth;
            scatter.MarkerSize = MarkerSize;
            if (series.Pale) scatter.MarkerShape = MarkerShape.OpenSquare;
        }
        plot.Axes.Bottom.TickGenerator = Ticks(chart.X, ValuesOf(chart, p => p.X, chart.X));
        // A linear axis begins at 0: else a small difference would look like a large one.
        if (chart.Y.Logarithmic) plot.Axes.Margins(0.05, 0.1);
        else plot.Axes.SetLimitsY(0, 1.1 * Math.Max(double.Epsilon, ValuesOf(chart, p => p.Y, chart.Y).DefaultIfEmpty(1).Max()));
    }

    private static void AddBars(Plot plot, Chart chart, IReadOnlyList<string> groups)
    {
        var places = ValuesOf(chart, p => p.Y, chart.Y).Select(chart.Y.Place).DefaultIfEmpty(0).ToList();
        var floor = chart.Y.Logarithmic ? Math.Floor(places.Min() - 0.1) : 0;
        var width = chart.Series.Count + 1.0;
        var isCrowded = groups.Count * width > BarsWithLabels;
        for (var i = 0; i < chart.Series.Count; i++)
        {
            var series = chart.Series[i];
            var bars = plot.Add.Bars(series.Points.Where(p => chart.Y.Shows(p.Y)).Select(p => new Bar
            {
                Position = p.X * width + i,
                Value = chart.Y.Place(p.Y),
                ValueBase = floor,
                Size = 0.9,
                FillColor = ColorOf(series),
                LineWidth = 0,
                Label = isCrowded ? "" : chart.Y.Format(p.Y),
            }).ToArray());
            bars.LegendText = series.Name;
            bars.Color = ColorOf(series);
            bars.ValueLabelStyle.FontSize = 11;
        }
        plot.Axes.Bottom.TickGenerator = new NumericManual(
            [.. Enumerable.Range(0, groups.Count).Select(g => g * width + (chart.Series.Count - 1) / 2.0)], [.. groups]);
        plot.Axes.Bottom.MajorTickStyle.Length = 0;
        plot.Axes.Bottom.TickLabelStyle.OffsetY = LabelFromEdge;
        if (groups.Sum(g => g.Length + 2) > LettersInARow)
        {
            plot.Axes.Bottom.TickLabelStyle.Rotation = -40;
            plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleRight;
            plot.Axes.Bottom.MinimumSize = PixelsPerLetter * groups.Max(g => g.Length) + 20;
        }
        plot.Axes.SetLimitsX(-1, groups.Count * width - 1);
        plot.Axes.SetLimitsY(floor, places.Max() + 0.12 * Math.Max(double.Epsilon, places.Max() - floor));
        plot.Grid.XAxisStyle.IsVisible = false;
    }

    private static Color ColorOf(ChartSeries series) => series.Pale ? Palette.GetColor(series.Color).Lighten(PaleBy) : Palette.GetColor(series.Color);

    private static List<double> ValuesOf(Chart chart, Func<ChartPoint, double> of, ChartAxis axis) => [.. chart.Series.SelectMany(s => s.Points).Select(of).Where(axis.Shows)];

    private static ITickGenerator Ticks(ChartAxis axis, IReadOnlyList<double> values)
    {
        if (axis.Ticks is { } given) return new NumericManual([.. given.Select(axis.Place)], [.. given.Select(axis.Format)]);
        return axis.Logarithmic ? LogarithmicTicks(axis, values) : LinearTicksOf(axis, values.DefaultIfEmpty(1).Max());
    }

    private static NumericManual LinearTicksOf(ChartAxis axis, double max)
    {
        var rough = Math.Max(double.Epsilon, max) / LinearTicks;
        var decade = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = decade * ((rough / decade) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
        var ticks = new NumericManual();
        for (var i = 0; i * step <= max * 1.1 && i <= 2 * LinearTicks; i++) ticks.AddMajor(i * step, axis.Format(i * step));
        return ticks;
    }

    private static NumericManual LogarithmicTicks(ChartAxis axis, IReadOnlyList<double> values)
    {
        var low = values.Count == 0 ? 0 : (int)Math.Floor(Math.Log10(values.Min()) - 0.2);
        var high = values.Count == 0 ? 1 : (int)Math.Ceiling(Math.Log10(values.Max()) + 0.2);
        var isNarrow = values.Count > 0 && values.Max() < NarrowBelow * values.Min();
        var ticks = new NumericManual();
        for (var decade = low; decade <= high; decade++)
        {
            for (var digit = 1; digit < 10; digit++)
            {
                var value = digit * Math.Pow(10, decade);
                // Few decades leave room for labels between them; between 3 and 4 there may be no other.
                var isLabelled = digit == 1 || (isNarrow ? IsNear(value, values) : high - low <= DecadesWithLabelsBetween && digit is 2 or 5);
                if (isLabelled) ticks.AddMajor(axis.Place(value), axis.Format(value));
                else ticks.AddMinor(axis.Place(value));
            }
        }
        return ticks;
    }

    private static bool IsNear(double tick, IReadOnlyList<double> values) => tick * NearWithin > values.Min() && tick < values.Max() * NearWithin;
}
