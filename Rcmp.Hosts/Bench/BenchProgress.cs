using System.Diagnostics;
using Rcmp.Hosts.Cli;
using Spectre.Console;

namespace Rcmp.Hosts.Bench;

/// <summary>Shows a person how far a measurement is.</summary>
internal interface IBenchProgress
{
    bool IsShown { get; }

    /// <param name="what">What is measured.</param>
    /// <param name="expected">How long it takes; zero if nobody knows: then <paramref name="run"/> says which share is done.</param>
    /// <param name="run">The measurement.</param>
    Task<T> ShowAsync<T>(string what, TimeSpan expected, Func<Action<double>, Task<T>> run);
}

internal sealed class NoProgress : IBenchProgress
{
    public bool IsShown => false;

    public Task<T> ShowAsync<T>(string what, TimeSpan expected, Func<Action<double>, Task<T>> run) => run(_ => { });
}

/// <summary>A bar on standard error, which is gone when the measurement has ended.</summary>
internal sealed class TerminalProgress : IBenchProgress
{
    // The measured processes need the cores more than the bar does.
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(250);

    private readonly IAnsiConsole _console;

    private TerminalProgress(TextWriter error, bool color) => _console = AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(error),
        ColorSystem = color ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
    });

    public bool IsShown => true;

    public static IBenchProgress For(CommandContext context) => context.Io.ErrorIsTerminal ? new TerminalProgress(context.Error, context.Color) : new NoProgress();

    public Task<T> ShowAsync<T>(string what, TimeSpan expected, Func<Action<double>, Task<T>> run) =>
        _console.Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn()).StartAsync(async bars =>
        {
            var bar = bars.AddTask(Markup.Escape(what), maxValue: 1);
            var started = Stopwatch.GetTimestamp();
            var running = run(share => bar.Value = Math.Clamp(share, 0, 1));
            while (expected > TimeSpan.Zero && await Task.WhenAny(running, Task.Delay(Refresh)) != running)
                bar.Value = Math.Min(1, Stopwatch.GetElapsedTime(started) / expected);
            return await running;
        });
}
