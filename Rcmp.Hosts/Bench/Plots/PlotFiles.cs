using SkiaSharp;

namespace Rcmp.Hosts.Bench.Plots;

/// <summary>Where plots are written: a directory gets PNG and SVG of each; a file's ending says which of the two, and its name stands before the plot's if there are several.</summary>
internal static class PlotFiles
{
    private const int Width = 1000;
    private const int Height = 600;
    private static readonly string[] Endings = [".png", ".svg"];

    public static bool NamesAFile(string path) => Endings.Contains(Path.GetExtension(path).ToLowerInvariant());

    /// <summary>The files that were written.</summary>
    public static IReadOnlyList<string> Write(IReadOnlyList<Chart> charts, string path)
    {
        if (!NamesAFile(path)) Directory.CreateDirectory(path);
        List<string> written = [];
        foreach (var chart in charts)
        {
            foreach (var file in FilesOf(chart, path, charts.Count))
            {
                // A plot for each file: what has been drawn once keeps the size it had.
                using var plot = ChartDrawing.Draw(chart);
                if (Path.GetExtension(file).ToLowerInvariant() == ".png") plot.SavePng(file, Width, Height);
                else plot.SaveSvg(file, Width, Height);
                written.Add(file);
            }
        }
        return written;
    }

    /// <summary>Without fonts on the machine a PNG has lines and no letters; an SVG leaves them to whoever shows it.</summary>
    public static bool HasFonts => SKFontManager.Default.FontFamilyCount > 0;

    private static IEnumerable<string> FilesOf(Chart chart, string path, int charts)
    {
        if (!NamesAFile(path)) return Endings.Select(ending => Path.Combine(path, chart.Name + ending));
        if (charts == 1) return [path];
        return [Path.Combine(Path.GetDirectoryName(path) ?? "", $"{Path.GetFileNameWithoutExtension(path)}-{chart.Name}{Path.GetExtension(path)}")];
    }
}
