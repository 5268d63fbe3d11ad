using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Configuration;
using Serilog;
using Serilog.Events;
using Serilog.Extensions.Logging;

namespace Rcmp.Hosts.Cli;

/// <summary>A node's log: standard error, or the file of <c>rcmp.log.file</c>.</summary>
internal static class NodeLogging
{
    private const string Template = "{Timestamp:yyyy-MM-dd HH:mm:ss.fff} {Level:u3} {SourceContext} {Message:lj}{NewLine}{Exception}";

    public static ILoggerFactory Create(CommonOptions options, CommandContext context)
    {
        var configuration = new LoggerConfiguration().MinimumLevel.Is(context.Verbose ? LogEventLevel.Debug : LevelOf(options.LogLevel));
        configuration = options.LogFile is { } file
            ? configuration.WriteTo.File(file, outputTemplate: Template, formatProvider: System.Globalization.CultureInfo.InvariantCulture)
            : configuration.WriteTo.Console(
                outputTemplate: Template, standardErrorFromLevel: LogEventLevel.Verbose, formatProvider: System.Globalization.CultureInfo.InvariantCulture,
                theme: Serilog.Sinks.SystemConsole.Themes.ConsoleTheme.None);
        return new SerilogLoggerFactory(configuration.CreateLogger(), dispose: true);
    }

    private static LogEventLevel LevelOf(LogLevel level) => level switch
    {
        LogLevel.Trace => LogEventLevel.Verbose,
        LogLevel.Debug => LogEventLevel.Debug,
        LogLevel.Warning => LogEventLevel.Warning,
        LogLevel.Error => LogEventLevel.Error,
        _ => LogEventLevel.Information,
    };
}
