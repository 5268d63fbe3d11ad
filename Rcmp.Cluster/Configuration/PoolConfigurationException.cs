namespace Rcmp;

/// <summary>The configuration cannot be used: a missing or malformed file, an unknown <c>rcmp.*</c> key, or a value outside its range.
/// The message is one line that names the file, the key and what to write instead.</summary>
public sealed class PoolConfigurationException(string message, Exception? innerException = null) : PoolException(message, false, innerException);
