using Rcmp.Hosts.Cli;
using Spectre.Console;

namespace Rcmp.Hosts.Demo;

/// <summary>Shows the demo: a table that grows in place on a terminal, plain lines elsewhere.</summary>
internal interface IDemoView
{
    void Say(string line);

    /// <summary>Shows rows while <paramref name="run"/> goes on.</summary>
    Task ShowRowsAsync(Func<Action<DemoRow>, Task> run);
}

internal static class DemoView
{
    public static IDemoView For(CommandContext context, bool json) =>
        json ? new PlainDemoView(context.Error)
        : context.Io.OutIsTerminal ? new LiveDemoView(context.Color)
        : new PlainDemoView(context.Out);
}

internal sealed class PlainDemoView(TextWriter writer) : IDemoView
{
    private static readonly int[] Widths = [8, 9, 12, 9, 11, 8, 8, 13, 9];

    public void Say(string line)
    {
        writer.WriteLine(line);
        writer.Flush();
    }

    public Task ShowRowsAsync(Func<Action<DemoRow>, Task> run)
    {
        Say(Line(DemoRow.Titles));
        return run(row => Say(Line(row.Cells())));
    }

    private static string Line(string[] cells) => string.Join("  ", cells.Select((c, i) => c.PadLeft(Widths[i]))).TrimEnd();
}

internal sealed class LiveDemoView : IDemoView
{
    private readonly IAnsiConsole _console;

    public LiveDemoView(bool color) =>
        _console = AnsiConsole.Create(new AnsiConsoleSettings { ColorSystem = color ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors });

    public void Say(string line) => _console.MarkupLineInterpolated($"{line}");

    public Task ShowRowsAsync(Func<Action<DemoRow>, Task> run)
    {
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var title in DemoRow.Titles) table.AddColumn(new TableColumn(title).RightAligned());
        return _console.Live(table).StartAsync(context =>
        {
            context.Refresh();
            return run(row =>
            {
                // The newest rows stay in view: a live table taller than the terminal would scroll its head away.
                if (table.Rows.Count >= Math.Max(4, _console.Profile.Height - 8)) table.RemoveRow(0);
                table.AddRow([.. row.Cells().Select((cell, i) => Colored(cell, i, row))]);
                context.Refresh();
            });
        });
    }

    private static Markup Colored(string cell, int column, DemoRow row)
    {
        const int HitColumn = 3;
        var color = column != HitColumn ? "default" : row.HitShare >= 0.9 ? "green" : row.HitShare >= 0.5 ? "yellow" : "red";
        return new Markup($"[{color}]{Markup.Escape(cell)}[/]");
    }
}
